"""torchrun, as a child that ends with its parent: python -m pipeline.training.agent PARENT ARGUMENTS OF TORCHRUN.

PARENT is the parent's process id. Without this, a run that is killed would leave its training behind, and the next call
would start a second one in the same folder.
"""

import os
import sys

from pipeline.sandbox.kernel import die_with_parent


def main() -> None:
    """Ends with torchrun's exit code, or by SIGKILL with the parent."""
    parent, *arguments = sys.argv[1:]
    die_with_parent()
    if os.getppid() != int(parent):  # it ended before the kernel was told
        sys.exit(1)
    from torch.distributed.run import main as torchrun

    torchrun(arguments)


if __name__ == "__main__":
    main()
