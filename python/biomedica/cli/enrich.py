"""Ask PubMed for MeSH terms, missing abstracts and missing reference lists of a dataset's articles.

The face of `biomedica.enrich`. Running it again asks only for what is not stored yet.
"""

import argparse
import dataclasses
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_storage_options, positive, seconds
from biomedica.cli.progress import clock, counted

if TYPE_CHECKING:
    from biomedica import Enrichment
    from biomedica.cli.output import Output

EXAMPLE = "biomedica enrich dataset/ --email me@lab.example"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument(
        "--email", metavar="ADDRESS", help="where NCBI may write before it blocks an address (default: $NCBI_EMAIL)"
    )
    # The key itself is no option: every user of the machine can read the options of a process.
    parser.add_argument(
        "--requests-per-second",
        type=positive,
        metavar="N",
        help="the most in any second (default: 3, or 10 with a key in $NCBI_API_KEY)",
    )
    parser.add_argument(
        "--base-url", metavar="URL", help="where the E-utilities are (default: $NCBI_EUTILS_URL, or NCBI's own)"
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="what one request may take (default: %(default)g)",
    )
    parser.add_argument(
        "--retry-timeout",
        type=seconds,
        default=120.0,
        metavar="SECONDS",
        help="how long a request is repeated while the server cannot answer (default: %(default)g)",
    )
    parser.add_argument("--retry", action="store_true", help="ask again for what is missing or failed")
    add_storage_options(parser)
    parser.add_argument("--strict", action="store_true", help="exit with 1 when an answer could not be read")


def run(args: argparse.Namespace, output: "Output") -> int:
    """Enrich, then say what came of it."""
    import biomedica

    last: Enrichment | None = None
    with counted(output) as show:

        def progress(state: "Enrichment") -> None:
            nonlocal last
            last = state
            show(state.pmids, state.total_pmids, dataclasses.asdict(state), _line(state))

        biomedica.enrich(
            args.dataset,
            email=args.email,
            base_url=args.base_url,
            requests_per_second=args.requests_per_second,
            timeout=args.timeout,
            retry_timeout=args.retry_timeout,
            retry=args.retry,
            storage_options=dict(args.storage_options),
            progress=progress,
        )
    if last is None or last.total_pmids == 0:
        output.error(f"{args.dataset}: no article has a PMID")
        return 1
    text = f"{last.pmids:,} PMIDs: {last.found:,} found, {last.deleted:,} deleted, {last.missing:,} missing, "
    text += f"{last.failed:,} failed; {last.requests:,} requests; {last.seconds:,.2f} s"
    output.result("summary", {"dataset": str(args.dataset), **dataclasses.asdict(last)}, text)
    return 1 if args.strict and last.failed else 0


def _line(state: "Enrichment") -> str:
    text = f"{state.pmids:,} of {state.total_pmids:,} PMIDs, {state.requests:,} requests, {state.failed:,} failed"
    done = state.pmids - state.skipped_pmids
    left = state.seconds * (state.total_pmids - state.pmids) / done if done else 0.0
    return f"{text}, {clock(left)} left" if left else text
