import json
import os
import stat

import pytest

import foretell

TEXT = b"A clerk who guesses well has little to send. " * 100


def test_pack_and_unpack_a_file(run, text_file, tmp_path):
    assert run("pack", "-1", text_file).status == 0
    archive = tmp_path / "clerk.txt.fore"
    assert foretell.decompress(archive.read_bytes()) == TEXT
    assert text_file.exists()
    text_file.unlink()
    result = run("unpack", archive)
    assert (result.status, result.out, result.err) == (0, "", "")
    assert text_file.read_bytes() == TEXT


def test_standard_streams(run):
    packed = run("pack", "-1", stdin=TEXT)
    assert packed.status == 0
    assert run("unpack", "-", stdin=packed.out.encode("latin-1")).out.encode("latin-1") == TEXT


def test_stdout_option_joins_files(run, text_file, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"other")
    packed = run("pack", "-1", "-c", text_file, other).out.encode("latin-1")
    assert foretell.decompress(packed) == TEXT + b"other"
    assert not (tmp_path / "other.fore").exists()


def test_output_option(run, text_file, tmp_path):
    target = tmp_path / "named"
    assert run("pack", "-1", text_file, "-o", target).status == 0
    assert run("unpack", target).err == f"foretell: {target}: does not end in .fore; name the output with -o\n"
    assert run("unpack", target, "-o", tmp_path / "back").status == 0
    assert (tmp_path / "back").read_bytes() == TEXT


def test_existing_files_are_kept_unless_forced(run, text_file, archive_file, tmp_path):
    target = tmp_path / "clerk.txt.fore"
    target.write_bytes(b"precious")
    result = run("pack", "-1", text_file)
    assert result.status == 1
    assert result.err == (f"foretell: {target}: exists already; overwrite it with -f or choose another name with -o\n")
    assert target.read_bytes() == b"precious"
    assert run("pack", "-1", "-f", text_file).status == 0
    assert foretell.decompress(target.read_bytes()) == TEXT


def test_an_archive_is_not_packed_again(run, archive_file):
    assert "ends in .fore already" in run("pack", "-1", archive_file).err
    assert run("pack", "-1", "-f", archive_file).status == 0


def test_input_and_output_may_not_be_the_same(run, text_file):
    result = run("pack", "-1", "-f", text_file, "-o", text_file)
    assert result.status == 1
    assert "both input and output" in result.err
    assert text_file.read_bytes() == TEXT


def test_an_error_does_not_stop_the_other_files(run, text_file, tmp_path):
    result = run("pack", "-1", tmp_path / "missing", tmp_path, text_file)
    assert result.status == 1
    assert result.err.splitlines() == [
        f"foretell: {tmp_path / 'missing'}: No such file or directory",
        f"foretell: {tmp_path}: is a directory; put it into one file first: tar cf - {tmp_path} | foretell pack",
    ]
    assert (tmp_path / "clerk.txt.fore").exists()


def test_remove_after_success_only(run, text_file, archive_file):
    assert run("pack", "-1", "--rm", text_file).status == 0
    assert not text_file.exists()
    archive_file.write_bytes(archive_file.read_bytes()[:-1])
    assert run("unpack", "--rm", archive_file).status == 1
    assert archive_file.exists()


def test_damage_leaves_no_file(run, archive_file, tmp_path):
    before = set(os.listdir(tmp_path))
    damaged = bytearray(archive_file.read_bytes())
    damaged[40] ^= 1
    archive_file.write_bytes(damaged)
    result = run("unpack", archive_file)
    assert result.status == 1
    assert result.err.startswith(f"foretell: {archive_file}: frame 0: ")
    assert result.err.endswith("; the file is damaged, fetch or make it anew\n")
    assert result.err.count("\n") == 1
    assert set(os.listdir(tmp_path)) == before


def test_permissions_and_times_are_kept(run, text_file, tmp_path):
    text_file.chmod(0o640)
    os.utime(text_file, (1_000_000_000, 1_000_000_000))
    run("pack", "-1", text_file)
    status = (tmp_path / "clerk.txt.fore").stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert status.st_mtime == 1_000_000_000


def test_output_follows_links_and_devices(run, text_file, tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"")
    link.symlink_to(real)
    assert run("pack", "-1", "-f", text_file, "-o", link).status == 0
    assert link.is_symlink()
    assert foretell.decompress(real.read_bytes()) == TEXT
    assert run("pack", "-1", text_file, "-o", os.devnull).status == 0


KEYS = {
    "input",
    "output",
    "input_bytes",
    "output_bytes",
    "bits_per_byte",
    "codec",
    "model",
    "level",
    "seconds",
}


def test_json_has_one_object_per_file(run, text_file, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"other")
    lines = run("pack", "-1", "--json", text_file, other).out.splitlines()
    first, second = map(json.loads, lines)
    assert set(first) == set(second) == KEYS
    assert first["input"] == str(text_file)
    assert first["output"] == str(text_file) + ".fore"
    assert first["input_bytes"] == len(TEXT)
    assert first["output_bytes"] == os.path.getsize(first["output"])
    assert first["bits_per_byte"] == pytest.approx(8 * first["output_bytes"] / len(TEXT), abs=1e-5)
    assert (first["codec"], first["model"], first["level"]) == ("octets", None, 1)
    assert second["codec"] == "stored"
    unpacked = json.loads(run("unpack", "--json", "-f", first["output"]).out)
    assert set(unpacked) == KEYS
    assert unpacked["output_bytes"] == len(TEXT)
    assert unpacked["level"] == 1


def test_model_and_codec_options(run, text_file, fake_text, tmp_path):
    result = json.loads(run("pack", "--json", "--codec", "text", "--verify", text_file).out)
    assert (result["codec"], result["model"], result["level"]) == ("text", "fake", 6)
    assert run("unpack", "-f", "-T2", result["output"]).status == 0
    assert json.loads(run("pack", "--json", "-9", "-f", "--codec=stored", text_file).out)["level"] == 9


def test_memory_option(run, archive_file):
    result = run("unpack", "--memory", "1K", archive_file)
    assert result.err == (
        f"foretell: {archive_file}: frame 0: needs 1 MiB, more than the limit; allow it with --memory 1M\n"
    )
    assert run("unpack", "--memory", "1M", archive_file).status == 0


def test_verbose_says_what_happened(run, text_file):
    assert "4.5 KB -> " in run("pack", "-1", "-v", text_file).err
    assert run("pack", "-1", "-f", "-q", text_file).err == ""
