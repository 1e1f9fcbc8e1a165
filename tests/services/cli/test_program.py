import subprocess
import sys

# What the image of the command has not: the sentences of the small model.
WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "deploy.models" or name.startswith("deploy.models."):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import services.cli.program
"""


def test_every_command_is_there_without_the_folder_that_images_leave_out() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
