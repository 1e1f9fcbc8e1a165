import subprocess
import sys
from pathlib import Path

# In a process of its own: what is given up does not come back.
PROGRAM = """
import socket, sys
from pathlib import Path
from deploy.local.clickhouse.adapters.confinement import confine

folder, outside, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
if not confine(folder, [folder / "store"], port):
    print("unavailable")
    sys.exit()

def attempt(work):
    try:
        work()
    except PermissionError:
        return "refused"
    return "allowed"

print(attempt(lambda: (folder / "store" / "x").write_text("x")))
print(attempt(lambda: (folder / "store" / "x").rename(folder / "store" / "y")))
print(attempt((folder / "readable").read_text))
print(attempt(lambda: (folder / "readable").write_text("x")))
print(attempt(outside.read_text))
print(attempt(lambda: outside.write_text("x")))
print(attempt(lambda: (outside.parent / "new").write_text("x")))
print(attempt(lambda: socket.create_connection(("127.0.0.1", port), 5)))
"""


def test_the_kernel_keeps_the_process_to_its_folder_and_from_every_address(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    (folder / "store").mkdir(parents=True)
    (folder / "readable").write_text("x", encoding="utf-8")
    outside.write_text("secret", encoding="utf-8")
    command = [sys.executable, "-c", PROGRAM, str(folder), str(outside), "9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    files = ["allowed", "allowed", "allowed", "refused", "refused", "refused", "refused"]
    # A kernel before Landlock knows none of it; one before its version 4 bounds files only.
    assert done.stdout.split() in ([*files, "refused"], ["unavailable"])
    assert outside.read_text(encoding="utf-8") == "secret"
