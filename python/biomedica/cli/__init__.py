"""The command `biomedica`: each verb is a thin face of the public function of the same name.

`main` maps every outcome to an exit code: 0 done, 1 nothing could be done (or `--strict` and something failed),
2 wrong usage, 130 interrupted. An error is one line on stderr; a traceback means a defect of this library. A closed
pipe (`biomedica stats … | head`) is a normal end.
"""

import os
import sys
from typing import TYPE_CHECKING

from biomedica.cli.output import Output
from biomedica.exceptions import BiomedicaError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run the command with `argv` (default: that of the process) and return its exit code."""
    output = Output()
    resumes = False
    try:
        from biomedica.cli.parser import parse

        args, verb = parse(sys.argv[1:] if argv is None else argv)
        resumes = verb.RESUMES
        output = Output(args.log_format)
        code = verb.run(args, output)
        sys.stdout.flush()
    except KeyboardInterrupt:
        output.error("interrupted" + "; run the same command again to go on where it stopped" * resumes)
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more. What is still buffered must not fail again when the interpreter flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (BiomedicaError, ImportError, OSError) as error:
        output.error(str(error))
        return FAILED
    except ValueError as error:
        output.error(str(error))
        return USAGE
    return code
