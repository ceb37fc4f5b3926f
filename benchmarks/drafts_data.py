"""Training data of the shipped draft: prompts of ours, answered by the target itself, and plain text.

    python benchmarks/drafts_data.py FOLDER [--prompts N] [--seed N]

Prompts are made of templates of ours, of passages of openly licensed texts in $FORETELL_DATA/text/dev (default
../shared/data; the file that unpacking is measured on is left out) and of function headers of Python's standard
library; as many questions again are the target's own. The target answers them side by side, greedily or at a
temperature. Stopped at any time, the same call goes on where it was. FOLDER gets ``answers.jsonl`` (rows of the
vocabulary) and ``texts.npy``: rows of 256 tokens, each filled with conversations and, where they leave room, plain text.
"""

# Lists of words read better in long lines.
# ruff: noqa: E501, SIM905
from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import sysconfig
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from drafts_answers import LENGTH, answer_all

from foretell.drafts.chat import prompt_rows
from foretell.models import registry
from foretell.models.decoder import Decoder

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data"))
OWN_QUESTIONS = 1
"""Questions of the target itself for each prompt of ours."""
PLAIN_SHARE = 0.05
"""Part of the rows that is plain text alone."""
PROSE = (
    "prose_govuk_2025.txt", "prose_gum_mixed.txt", "tech_peps_2025.rst", "tech_eips_2025.md", "med_craft_pmc.txt",
    "wiki_wikitext2.txt", "law_us_dc_2025.txt", "lit_canterbury_alice29.txt", "lit_tinyshakespeare.txt",
)  # fmt: skip
CODE = ("code_python_2026.py", "code_js_react.js", "code_cpp_c10.h", "code_rust.rs")

TOPICS = """photosynthesis; the water cycle; gravity; black holes; plate tectonics; the moon landing; the French Revolution;
the Roman Empire; ancient Egypt; the Silk Road; the printing press; the steam engine; electricity; magnetism; the periodic
table; chemical bonds; acids and bases; evolution; genetics; DNA; the human heart; the immune system; vaccines; antibiotics;
sleep; memory; stress; nutrition; vitamins; exercise; yoga; meditation; running a marathon; learning to swim; chess; football;
tennis; the Olympic Games; music theory; playing the guitar; jazz; classical music; painting; photography; film making; poetry;
the novel; Shakespeare; fairy tales; mythology; religion; philosophy; ethics; democracy; the rule of law; human rights;
taxes; inflation; the stock market; supply and demand; banks; insurance; saving money; starting a business; marketing;
project management; teamwork; leadership; job interviews; writing a resume; public speaking; negotiation; time management;
remote work; climate change; renewable energy; solar panels; wind power; nuclear energy; recycling; biodiversity; rain forests;
coral reefs; bees; wolves; elephants; whales; birds; dogs; cats; horses; gardening; growing tomatoes; cooking pasta; baking
bread; making soup; coffee; tea; chocolate; cheese; travel in Japan; a trip to Italy; a weekend in London; hiking in the
mountains; camping; road safety; public transport; electric cars; aeroplanes; trains; ships; bridges; architecture; city
planning; computers; the internet; operating systems; databases; search engines; encryption; machine learning; neural
networks; robots; programming languages; Python; sorting algorithms; recursion; binary search; version control; testing
software; web design; open source; privacy; social media; mobile phones; video games; astronomy; telescopes; Mars; the solar
system; comets; the speed of light; relativity; quantum mechanics; probability; statistics; calculus; algebra; geometry; prime
numbers; fractions; logic; puzzles; language learning; grammar; reading; libraries; museums; schools; universities; teaching
children; friendship; family; marriage; moving house; volunteering; first aid; hospitals; dentists; allergies; diabetes;
blood pressure; mental health; weather forecasting; hurricanes; earthquakes; volcanoes; rivers; oceans; deserts; glaciers;
maps; navigation; clocks; calendars; holidays; festivals; birthdays; fashion; jewellery; furniture; tools; carpentry; plumbing"""
ASKS = (
    "Explain {}.", "What is the importance of {}?", "Write a short essay about {}.", "Write a short story about {}.",
    "Write a poem about {}.", "Give me five tips about {}.", "List three facts about {}.", "Describe {} to a child.",
    "What are the advantages and disadvantages of {}?", "How has {} changed over the last hundred years?",
    "Write a blog post about {}.", "Write an email to a friend about {}.", "What should a beginner know about {}?",
    "Write a dialogue between a teacher and a student about {}.", "Imagine you are an expert on {}. What would you say?",
    "Compare {} with {}.", "What questions should I ask about {}?", "Summarize what is known about {}.",
    "Write a speech about {}.", "Why do people care about {}?", "Make an outline for a talk about {}.",
    "Could you tell me about {} in two paragraphs?", "What is the relationship between {} and {}?",
    "Name some common mistakes with {} and how to avoid them.", "Write a product description related to {}.",
    "Pretend to be a journalist and report on {}.", "Create a quiz with answers about {}.", "What is the history of {}?",
    "Give a step-by-step plan for {}.", "Argue for and against {}.", "How does {} work?", "Define {} and give an example.",
)  # fmt: skip
FACTS = (
    "Who was {}?", "What is {}?", "When did {} begin?", "Where is {}?", "Who wrote {}?", "What is {} known for?",
    "How did {} get its name?", "When was {} founded?", "who played in {}", "where did {} come from",
    "what does {} mean", "who is the president of {}", "how many people live in {}", "when was the first {} made",
    "Which country does {} belong to?", "who sings the song {}", "what happened in {} in 1990?",
)  # fmt: skip
PASSAGES = (
    "Summarise the following text:\n\n{}", "Explain this in simple words:\n\n{}", "What is the main point of this?\n\n{}",
    "Continue the text:\n\n{}", "Rewrite this in a friendlier tone:\n\n{}", "Extract the names and dates:\n\n{}",
    "{}\n\nWhat do you think about it?", "Translate this into plain English:\n\n{}", "Write a headline for: {}",
    "Is the following correct?\n\n{}", "Turn this into a list:\n\n{}",
)  # fmt: skip
CODE_ASKS = (
    "Complete the following code.\n\n{}", "Write the body of this function:\n\n{}", "Implement this in Python:\n{}",
    "Finish the function below.\n\n{}", "{}", "Please complete this Python function and explain it.\n\n{}",
)  # fmt: skip
TASKS = """reverse a string; check whether a word is a palindrome; add two numbers; find the largest number in a list; sort a
list of names; count the vowels in a text; remove duplicates from a list; compute the factorial of n; return the first n
Fibonacci numbers; test whether a number is prime; merge two sorted lists; find the mean of a list; find the median; count
words in a sentence; convert Celsius to Fahrenheit; compute the greatest common divisor; flatten a nested list; find the
longest word; capitalise every word; rotate a list by k; find the second largest element; check if two words are anagrams;
transpose a matrix; multiply two matrices; parse a date; count how often each letter occurs; return all even numbers; sum the
digits of a number; convert a number to binary; read a file line by line; filter strings by prefix; compute a moving
average; find pairs that add up to a target; check balanced parentheses; remove punctuation; encode a text with a Caesar
cipher; compute the distance between two points; find common elements of two lists; split a list into chunks; validate an
email address"""
NAMES = "Anna Ben Clara David Emma Felix Grace Henry Ida Jack Karen Liam Mia Noah Olga Paul Rosa Sam Tina Umar Vera Will".split()
THINGS = (
    "apples books pencils cookies marbles stickers tickets eggs flowers cards balls candles oranges toys cups".split()
)
SUMS = (
    "{a} has {i} {x}. {b} gives {a} {j} more. Then {a} gives away {k}. How many {x} does {a} have now?",
    "A shop sells {x} for ${k} each. {a} buys {j} of them and pays with ${i}00. How much change does {a} get?",
    "{a} has {k} times as many {x} as {b}. {b} has {j}. How many {x} do they have together?",
    "There are {i} {x} in each of {j} boxes. {a} takes out {k}. How many {x} are left?",
    "{a} reads {i} pages a day. The book has {j}0{k} pages. How many days does {a} need?",
    "{a} works {k} hours a day for ${i} an hour. How much does {a} earn in {j} days?",
    "The ages of {a} and {b} add up to {i}. {a} is {k} years older than {b}. How old is {b} in {j} years?",
    "{a} walks {k} miles in the morning and twice as far in the evening. How many miles does {a} walk in {j} days?",
    "A train goes {i} miles an hour for {k} hours, then {j} miles an hour for 2 hours. How far does it go?",
    "{a} bakes {i} {x}. {k}0% of them are sold to {b}, the rest is shared by {j} friends. How many does each get?",
    "{a} and {b} collect {x}. {a} finds {i} on Monday and {j} on Tuesday, {b} finds half as many plus {k}. How many in all?",
    "A class of {i} pupils splits into groups of {k}. How many groups are there, and how many pupils are left over?",
    "What is {i} + {j} * {k}?", "Solve for x: {k}x + {j} = {i}.", "What is {k}0% of {i}0?",
)  # fmt: skip


def entities(texts: list[str]) -> list[str]:
    """Names that stand in texts more than once."""
    counts: dict[str, int] = defaultdict(int)
    for text in texts:
        for name in re.findall(r"(?<=[a-z,] )[A-Z][a-z]+(?: (?:of |the )?[A-Z][a-z]+){1,2}", text):
            counts[name] += 1
    return sorted(name for name, count in counts.items() if count > 1)


def function_headers() -> list[str]:
    """Headers and docstrings of functions of Python's standard library."""
    found = []
    for file in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        source = file.read_text(encoding="utf-8", errors="replace")
        for node in ast.walk(ast.parse(source)):
            if (
                isinstance(node, ast.FunctionDef)
                and len(node.body) > 1
                and 30 <= len(ast.get_docstring(node) or "") < 300
            ):
                lines = source.splitlines()[node.lineno - 1 : node.body[0].end_lineno]
                found.append("\n".join(line[node.col_offset :] for line in lines) + "\n")
    return found


def passages(texts: list[str]) -> list[str]:
    """Paragraphs of running text."""
    parts = [" ".join(part.split()) for text in texts for part in re.split(r"\n\s*\n", text)]
    return [part for part in parts if len(part) > 200 and sum(c.isalpha() or c == " " for c in part) > 0.9 * len(part)]


def prompts(count: int, rng: random.Random) -> Iterator[tuple[str, bool]]:
    """Prompts, and whether they are messages of a chat."""
    texts = [(DATA / "text" / "dev" / name).read_text(encoding="utf-8") for name in PROSE]
    topics, tasks = (re.split(r";\s+", " ".join(words.split())) for words in (TOPICS, TASKS))
    names, headers, parts = entities(texts), function_headers(), passages(texts)
    for number in range(count):
        kind = number % 8
        if kind < 2:
            ask = rng.choice(ASKS)
            yield ask.format(*rng.sample(topics, ask.count("{}"))), True
        elif kind == 2:
            yield rng.choice(FACTS).format(rng.choice(names if rng.random() < 0.7 else topics)), True
        elif kind == 3:
            a, b = rng.sample(NAMES, 2)
            values = dict(
                a=a, b=b, x=rng.choice(THINGS), i=rng.randint(20, 99), j=rng.randint(3, 15), k=rng.randint(2, 9)
            )
            yield rng.choice(SUMS).format(**values), True
        elif kind == 4:
            yield rng.choice(CODE_ASKS).format(rng.choice(headers)), True
        elif kind == 5:
            language = rng.choice(("Python", "Python", "Python", "JavaScript", "C"))
            yield f"Write a {language} function to {rng.choice(tasks)}.", True
        else:
            # Sentences of a paragraph; what they go on with is the target's.
            part = rng.choice(parts)[: rng.choice((160, 240, 320, 400))].rsplit(" ", 1)[0]
            yield (rng.choice(PASSAGES).format(part), True) if kind == 6 else (part, False)


def pack(conversations: list[np.ndarray], plain: Iterator[np.ndarray], rng: random.Random) -> np.ndarray:
    """Rows of ``LENGTH`` tokens: whole conversations, best fit first, and plain text in what is left."""
    waiting: dict[int, list[np.ndarray]] = defaultdict(list)
    for text in conversations:
        waiting[text.size].append(text)
    order = sorted(conversations, key=len, reverse=True)
    used: set[int] = set()
    rows = []
    for text in order:
        if id(text) in used:
            continue
        used.add(id(text))
        row, room = [text], LENGTH - text.size
        while room > 24:
            size = next((s for s in range(room, 24, -1) if any(id(t) not in used for t in waiting[s])), 0)
            if not size:
                break
            other = next(t for t in waiting[size] if id(t) not in used)
            used.add(id(other))
            row.append(other)
            room -= size
        rng.shuffle(row)
        rows.append(np.concatenate([*row, next(plain)[:room]]))
    return np.stack(rows)


def plain_texts(target: Decoder, rng: random.Random) -> list[np.ndarray]:
    """Pieces of ``LENGTH`` tokens of prose and, a fifth, code; each begins with the target's start token."""
    pieces = []
    for names, most in ((PROSE, None), (CODE, 40)):
        for name in names:
            rows = target.vocabulary.encode((DATA / "text" / "dev" / name).read_bytes())
            own = [rows[i : i + LENGTH - 1] for i in range(0, rows.size - LENGTH, LENGTH - 1)]
            rng.shuffle(own)
            pieces += [np.concatenate([[target.start], piece]).astype(np.int32) for piece in own[:most]]
    rng.shuffle(pieces)
    return pieces


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prompts", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after that")
    parser.add_argument("--pack", action="store_true", help="only pack the answers that are there")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    target, rng = registry.load("smollm2-135m"), random.Random(args.seed)
    file = args.folder / "answers.jsonl"
    if not args.pack:
        ours = (prompt_rows(target, text, chat) for text, chat in prompts(args.prompts, rng))
        asked = [rows for prompt in ours for rows in (prompt, *[None] * OWN_QUESTIONS)]
        answer_all(target, asked, file, args.seed, args.seconds)
    found = sorted((json.loads(line) for line in file.read_text().splitlines()), key=lambda line: line["number"])
    answered = [np.array(line["rows"], np.int32) for line in found]
    plain = plain_texts(target, rng)
    rows = pack(answered, iter(plain * 100), rng)
    alone = np.stack(plain[: int(PLAIN_SHARE / (1 - PLAIN_SHARE) * len(rows))])
    texts = np.concatenate([rows, alone])[np.random.default_rng(args.seed).permutation(len(rows) + len(alone))]
    np.save(args.folder / "texts.npy", texts)
    print(f"{len(answered)} conversations in {len(rows)} rows, {len(alone)} rows of plain text")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
