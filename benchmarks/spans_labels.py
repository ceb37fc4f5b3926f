"""What the labels of the corpora mean, in our words, after the corpora's guidelines.

Examples in descriptions are general knowledge, not looked up in the corpora.
"""

from __future__ import annotations

_EVENTS = {
    "Acetylation": "An acetyl group is added to a protein.",
    "Amino_acid_catabolism": "Amino acids are broken down in a cell.",
    "Artificial_process": "Something that experimenters do, such as transfection, treatment or stimulation.",
    "Binding": "Molecules bind to each other, interact or form a complex.",
    "Biological_process": "A process of life that is not said more exactly.",
    "Blood_vessel_development": "Blood vessels form or grow; angiogenesis, vascularization.",
    "Breakdown": "A tissue, organ or structure falls apart or is degraded.",
    "Carcinogenesis": "Cancer or a tumour comes into being; tumorigenesis.",
    "Catabolism": "A molecule is broken down or degraded.",
    "Cell_adhesion": "Cells attach to each other or to a surface.",
    "Cell_communication": "Cells signal to each other or pass on a signal.",
    "Cell_death": "Cells die; apoptosis, necrosis, loss of viability.",
    "Cell_differentiation": "Cells become more specialized; differentiation.",
    "Cell_division": "A cell divides in two; mitosis.",
    "Cell_proliferation": "Cells multiply; proliferation, growth of cells.",
    "Cell_recognition": "A cell recognizes another cell or a molecule.",
    "Cell_transformation": "Normal cells become malignant; transformation.",
    "Cellular_physiological_process": "Something that a cell does, such as growth, activation, apoptosis or cycling.",
    "Cellular_process": "A process in a cell that is not said more exactly.",
    "Correlation": "Two things are related, associated or involved, without a stated direction.",
    "DNA_demethylation": "Methyl groups are removed from DNA.",
    "DNA_domain_or_region": "Words that refer to a part of DNA such as a promoter.",
    "DNA_metabolism": "DNA is made, repaired or broken down.",
    "DNA_methylation": "Methyl groups are added to DNA; methylation, hypermethylation.",
    "DNA_modification": "DNA is chemically modified, such as by methylation.",
    "DNA_recombination": "Pieces of DNA are exchanged or rearranged.",
    "Death": "An organism dies; death, mortality, survival ends.",
    "Dephosphorylation": "A phosphate group is removed from a protein.",
    "Development": "A tissue, organ, tumour or organism develops or forms; progression.",
    "Dissociation": "Molecules that were bound come apart.",
    "Gene_expression": "A gene is expressed or a protein is produced; expression, overexpression.",
    "Glycolysis": "Glucose is broken down for energy; glycolysis, glucose consumption.",
    "Glycosylation": "A sugar is attached to a protein.",
    "Growth": "An organism, tissue or tumour grows in size.",
    "Infection": "An organism or cell is infected by a virus or microbe.",
    "Initiation_of_viral_infection": "A virus begins to infect cells; infection, entry.",
    "Localization": "A molecule or cell is found at, moves to or is secreted to a place; migration, secretion.",
    "Metabolism": "Molecules are metabolized or converted.",
    "Metastasis": "A cancer spreads to another part of the body.",
    "Molecular_Function": "What a molecule does, such as activity.",
    "Mutagenesis": "Genes or sites are changed on purpose; mutation, deletion, substitution.",
    "Mutation": "A gene or genome is altered; mutation, deletion, amplification.",
    "Negative_regulation": "Something is reduced, inhibited, blocked, suppressed or prevented.",
    "Pathway": "A signalling or metabolic pathway takes place.",
    "Phosphorylation": "A phosphate group is added to a protein.",
    "Physiological_process": "A process of an organism or its organs such as inflammation, immune response or disease.",
    "Planned_process": "Something that people do on purpose, such as treatment, surgery, transfection or therapy.",
    "Positive_regulation": "Something is increased, induced, activated, enhanced, required or caused.",
    "Protein_amino_acid_acetylation": "An acetyl group is added to a protein.",
    "Protein_amino_acid_deacetylation": "An acetyl group is removed from a protein.",
    "Protein_amino_acid_dephosphorylation": "A phosphate group is removed from a protein.",
    "Protein_amino_acid_phosphorylation": "A phosphate group is added to a protein; phosphorylation.",
    "Protein_catabolism": "A protein is degraded or broken down; proteolysis.",
    "Protein_domain_or_region": "Words that refer to a part of a protein.",
    "Protein_metabolism": "A protein is made, turned over or broken down.",
    "Protein_modification": "A protein is chemically modified.",
    "Protein_processing": "A protein is cut or matures; cleavage, processing.",
    "Protein_ubiquitination": "Ubiquitin is attached to a protein.",
    "RNA_metabolism": "RNA is processed, spliced, stabilized or degraded.",
    "Regulation": "Something affects, controls, modulates or depends on another, without a stated direction.",
    "Remodeling": "A tissue or structure is rebuilt; remodeling, reorganization.",
    "Reproduction": "An organism reproduces.",
    "Synthesis": "A molecule is made in a cell; synthesis, production.",
    "Transcription": "RNA is made from a gene; transcription, mRNA levels.",
    "Translation": "A protein is made from RNA; translation.",
    "UNCLASSIFIED": "An event of no other class.",
    "Ubiquitination": "Ubiquitin is attached to a protein, which marks it for degradation.",
    "Viral_life_cycle": "A virus replicates, is latent or is activated; replication, infection.",
}

LABELS: dict[str, dict[str, str]] = {
    "wnut17": {
        "corporation": "A corporation is a company or business that sells goods or services.",
        "creative-work": "A creative work is the title of a film, song, album, book, show or game.",
        "group": "A group is a band, sports team, club or other set of people that is not a company.",
        "location": "A location is a country, city, region, street, building, venue or other named place.",
        "person": "A person is a human being named by first name, surname, nickname or handle.",
        "product": "A product is a thing that one can buy or use, such as a phone, drink or software.",
    },
    "crossner": {
        "academicjournal": (
            "An academic journal is a periodical in which scholars publish research, such as Nature, Science, "
            "Physical Review or the Journal of the American Chemical Society."
        ),
        "album": (
            "An album is a collection of recorded music, released under a title, such as Abbey Road, Thriller, "
            "The Dark Side of the Moon or a soundtrack."
        ),
        "algorithm": (
            "An algorithm is a named method or model of computing, such as a neural network, support vector "
            "machine, decision tree, hidden Markov model, gradient descent or k-means clustering."
        ),
        "astronomicalobject": (
            "An astronomical object is a star, planet, moon, asteroid, comet or galaxy, such as Mars, Jupiter, "
            "the Sun, Ceres or the Milky Way."
        ),
        "award": (
            "An award is a prize, medal, honour or title given for merit, such as the Nobel Prize, Grammy "
            "Award, Academy Award, Pulitzer Prize or Fellow of the Royal Society."
        ),
        "band": (
            "A band is a group of musicians who play together under a name, such as the Beatles, Metallica, Led "
            "Zeppelin or Pink Floyd."
        ),
        "book": (
            "A book is a novel, play, collection or other long written work, named by its title, such as War "
            "and Peace, Hamlet or The Lord of the Rings."
        ),
        "chemicalcompound": (
            "A chemical compound is a substance made of several elements, such as water, carbon dioxide, "
            "ethanol, methane, glucose, an acid, a polymer or a drug."
        ),
        "chemicalelement": (
            "A chemical element is a substance of one kind of atom, such as hydrogen, oxygen, carbon, gold, "
            "iron or uranium."
        ),
        "conference": (
            "A conference is a scientific meeting or the society or journal that goes with it, such as NeurIPS, "
            "ICML, CVPR, ACL, the International Conference on Robotics or a workshop or symposium."
        ),
        "country": (
            "A country is a nation or state, present or former, such as the United States, Germany, Japan or "
            "the Soviet Union."
        ),
        "discipline": (
            "A discipline is a branch of science or learning, such as physics, chemistry, biology, mathematics "
            "or philosophy."
        ),
        "election": (
            "An election is a vote for an office or parliament, or a referendum, such as the 2008 United States "
            "presidential election or the general election of 1997."
        ),
        "enzyme": (
            "An enzyme is a protein that speeds up a chemical reaction; names often end in -ase, such as DNA "
            "polymerase, kinase or protease."
        ),
        "event": (
            "An event is something named that happened, such as World War II, the French Revolution, the "
            "Olympic Games, a festival, ceremony, congress or tournament."
        ),
        "field": (
            "A field is an area of research, such as machine learning, computer vision, natural language "
            "processing, robotics, artificial intelligence or statistics."
        ),
        "literarygenre": (
            "A literary genre is a kind of writing, such as science fiction, fantasy, poetry, satire, short "
            "stories, novels or drama."
        ),
        "location": (
            "A location is a city, region, building, river or other place that is not a country, such as "
            "London, California, Europe, New York City or the Alps."
        ),
        "magazine": (
            "A magazine is a periodical or newspaper for general readers, such as The New Yorker, Time, The "
            "Guardian or Rolling Stone."
        ),
        "metrics": (
            "A metric is a measure with which results are judged, such as accuracy, precision, recall, F1 "
            "score, mean squared error, likelihood or BLEU."
        ),
        "misc": (
            "A name of another kind, such as a nationality like American, French or German, a language like "
            "English or Latin, a religion, ideology, law, degree, project, character, film or series."
        ),
        "musicalartist": (
            "A musical artist is a singer, musician, composer or rapper, such as Michael Jackson, Madonna, Bob "
            "Dylan or Mozart."
        ),
        "musicalinstrument": (
            "A musical instrument is something to play music on, such as a guitar, piano, violin, drums or saxophone."
        ),
        "musicgenre": (
            "A music genre is a style of music, such as rock, jazz, hip hop, heavy metal, pop, blues or "
            "electronic music."
        ),
        "organisation": (
            "An organisation is a company, institution, agency, government body, army, label, broadcaster or "
            "association, such as Google, IBM, NASA, the BBC, the United Nations or the Senate."
        ),
        "person": (
            "A person is a human being, named or called by a surname, who has none of the more special roles "
            "among the labels, such as an actor, athlete, king or relative."
        ),
        "poem": "A poem is a work in verse, named by its title, such as The Raven, Paradise Lost, an ode or a sonnet.",
        "politicalparty": (
            "A political party is an organisation that stands for election, such as the Labour Party, "
            "Democratic Party, Republicans, Liberals or Communist Party."
        ),
        "politician": (
            "A politician is a person who holds or seeks a political office, a president, minister, senator or "
            "candidate, such as Barack Obama, Margaret Thatcher or Winston Churchill."
        ),
        "product": (
            "A product is a named system, program, software, device, robot or data set, such as MATLAB, Siri, "
            "Google Translate, WordNet or an industrial robot."
        ),
        "programlang": (
            "A programming language is a formal language for software, such as Python, Java, C++, R, Lisp or "
            "JavaScript."
        ),
        "protein": (
            "A protein is a large biological molecule of amino acids, such as hemoglobin, insulin, collagen, an "
            "antibody, receptor or histone."
        ),
        "researcher": (
            "A researcher is a person who works in science or engineering, such as Alan Turing, Geoffrey "
            "Hinton, Marvin Minsky or Noam Chomsky."
        ),
        "scientist": (
            "A scientist is a person known for research in a science, a physicist, chemist, biologist or "
            "astronomer, such as Albert Einstein, Isaac Newton or Marie Curie."
        ),
        "song": (
            "A song is a single piece of music with words, or a single, named by its title, such as Imagine, "
            "Yesterday or Bohemian Rhapsody."
        ),
        "task": (
            "A task is a problem that systems solve, such as machine translation, speech recognition, image "
            "classification, information retrieval, clustering or object detection."
        ),
        "theory": (
            "A theory is a scientific explanation or law, such as general relativity, quantum mechanics, "
            "evolution or the Big Bang."
        ),
        "university": (
            "A university is a college, institute of technology or other school of higher learning, such as "
            "Harvard University, MIT, Stanford or the University of Oxford."
        ),
        "writer": (
            "A writer is a person known for books, poems, plays or articles, an author, poet or novelist, such "
            "as William Shakespeare, Jane Austen or Mark Twain."
        ),
    },
    "gum": {
        "abstract": "An abstract thing is an idea, quality, problem, theory or other thing without a body.",
        "animal": "An animal is a living creature that is neither human nor plant, such as a dog or bacteria.",
        "event": "An event is something that happens, such as a war, meeting, study, process or action.",
        "object": "An object is a concrete thing, such as a tool, book, machine, picture or part of a body.",
        "organization": "An organization is a company, government, university, team or other body of people.",
        "person": "A person is a human being or group of humans, named, described or referred to by a pronoun.",
        "place": "A place is a country, city, building, area or other location where one can be.",
        "plant": "A plant is a tree, flower, crop, fungus or a part of one.",
        "substance": "A substance is a material or fluid that is not counted, such as water, wood, food or a drug.",
        "time": "A time is a date, year, period, age or moment.",
    },
    "litbank": {
        "FAC": "A facility is a building or structure made by people, such as a house, room, street or garden.",
        "GPE": "A geo-political entity is a country, state, city or village with a government.",
        "LOC": "A location is a natural place without government, such as a sea, river, forest, sky or world.",
        "ORG": "An organization is a company, church, army, court or other formal body.",
        "PER": "A person is a human being or character, named, or described by a noun such as the old man.",
        "VEH": "A vehicle is a means of transport, such as a ship, carriage, train or car.",
    },
    "genia": {
        "DNA": "Deoxyribonucleic acid: genes, promoters, enhancers, binding sites, plasmids and other parts of DNA.",
        "RNA": "Ribonucleic acid: messenger RNA, transcripts and other RNA molecules.",
        "cell_line": "A cell line is cells grown in culture, such as Jurkat or HeLa cells, clones or cultured cells.",
        "cell_type": "A cell type is a natural kind of cell, such as T lymphocytes, monocytes or macrophages.",
        "protein": "Proteins are receptors, kinases, cytokines, transcription factors, antibodies.",
    },
    "cg-events": _EVENTS,
    "genia-events": _EVENTS,
}
