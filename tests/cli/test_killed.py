"""A pack that is stopped leaves no half file under the target's name."""

import os
import signal
import subprocess
import sys
import time

import pytest

# Packs slowly enough to be caught in the act, and says when the act has begun.
SLOW_PACK = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs that ignore it
from foretell.archive import pack
from foretell.cli import main

encode = pack.encode_segment

def slow(*arguments):
    print("packing", flush=True)
    time.sleep(60)
    return encode(*arguments)

pack.encode_segment = slow
sys.exit(main(["pack", "--codec", "stored", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stopped_pack_leaves_no_half_file(tmp_path, number):
    source, target = tmp_path / "data", tmp_path / "data.fore"
    source.write_bytes(bytes(range(256)) * 1000)
    process = subprocess.Popen([sys.executable, "-c", SLOW_PACK, "-T1", str(source)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"packing\n"
    time.sleep(0.1)
    process.send_signal(number)
    process.wait(20)
    process.stdout.close()
    assert process.returncode != 0
    assert not target.exists()
    rest = set(os.listdir(tmp_path)) - {"data"}
    # Nothing can clean up after SIGKILL, but what stays does not bear the target's name.
    assert len(rest) == (1 if number == signal.SIGKILL else 0)


def test_a_reader_that_stops_is_no_error_message(tmp_path):
    source = tmp_path / "data"
    source.write_bytes(os.urandom(3_000_000))
    command = f"{sys.executable} -m foretell pack --codec stored -c {source} | head -c 10 > /dev/null"
    result = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert result.stderr == b""
