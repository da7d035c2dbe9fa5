"""What the whole of PubMed Central would take, from rates measured on this machine: `python benches/scale.py`.

A calculation, not a measurement. The rate of one core and what a second one adds are taken from the newest run of `make
bench` (cases `packages to dataset, 1 core` and `packages to Arrow, 2 threads`), or from options. Parts share nothing, so
that more machines are more of the same; within a machine each core is worth what the second one was. All bytes come
over the network once; the dataset's own bytes, about as many as the images have, go out at the same time.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

RUNS = Path(__file__).parent / "runs"
RATE_CASE, SCALING_CASE = "packages to dataset, 1 core", "packages to Arrow, 2 threads"
PAPER_CORES, PAPER_DAYS = 60, 30
"""What arXiv 2501.07171 took: a month on 60 CPUs."""
HOUR, DAY = 3_600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How long so many cores take behind such a network."""

    cores: int
    gigabits: float
    compute_seconds: float
    network_seconds: float
    dollars: float

    @property
    def seconds(self) -> float:
        """Reading and fetching go on at once: the slower one counts."""
        return max(self.compute_seconds, self.network_seconds)

    @property
    def limit(self) -> str:
        """What the time is spent on."""
        return "network" if self.network_seconds > self.compute_seconds else "cores"


def scale(
    cores: int, gigabits: float, *, terabytes: float, core_megabytes: float, efficiency: float, core_hour_price: float
) -> Scale:
    """The time of `cores` that read `core_megabytes` a second each, `efficiency` of it when there are several."""
    worth = 1 + (cores - 1) * efficiency
    compute = terabytes * 1e12 / (core_megabytes * 1e6 * worth)
    network = terabytes * 1e12 * 8 / (gigabits * 1e9)
    # Cores are paid for while they wait for the network too.
    dollars = max(compute, network) / HOUR * cores * core_hour_price
    return Scale(cores, gigabits, compute, network, dollars)


def enough_gigabits(cores: int, core_megabytes: float, efficiency: float) -> float:
    """The network that so many cores can fill."""
    return core_megabytes * 1e6 * 8 * (1 + (cores - 1) * efficiency) / 1e9


def measured(run: Path) -> tuple[float, float]:
    """Megabytes a second of one core, and what each further core is worth, of a run of the harness."""
    rows = {row["case"]: row for row in reversed(json.loads(run.read_text("utf-8"))["rows"])}
    return float(rows[RATE_CASE]["ours"].split()[0].replace(",", "")), float(rows[SCALING_CASE]["ratio"]) - 1


def spell(seconds: float) -> str:
    """A time as one reads it."""
    if seconds >= 2 * DAY:
        return f"{seconds / DAY:,.1f} days"
    return f"{seconds / HOUR:,.1f} h" if seconds >= 2 * HOUR else f"{seconds / 60:,.0f} min"


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python benches/scale.py", description=__doc__)
    parser.add_argument("--run", type=Path, help="a run of the harness (default: the newest in benches/runs)")
    parser.add_argument("--megabytes", type=float, metavar="MB/S", help="the rate of a core, in place of the run's")
    parser.add_argument("--efficiency", type=float, metavar="SHARE", help="what a further core is worth (0 to 1)")
    parser.add_argument("--articles", type=float, default=6e6, help="(default: %(default).0f)")
    parser.add_argument("--terabytes", type=float, default=27.0, help="of packages (default: %(default)g)")
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 60, 600])
    parser.add_argument("--gigabits", type=float, nargs="+", default=[1, 10, 25, 100], metavar="GBIT/S")
    parser.add_argument("--price", type=float, default=0.05, help="dollars for a core's hour (default: %(default)g)")
    args = parser.parse_args(argv)
    runs = sorted(RUNS.glob("*.json"))
    if args.run is None and not runs and (args.megabytes is None or args.efficiency is None):
        parser.error(
            "there is no run in benches/runs: make one with `make bench`, or give --megabytes and --efficiency"
        )
    rate, efficiency = measured(args.run or runs[-1]) if args.run or runs else (0.0, 0.0)
    rate, efficiency = args.megabytes or rate, args.efficiency if args.efficiency is not None else efficiency
    if rate <= 0 or not 0 < efficiency <= 1:
        parser.error("a core's rate must be above 0, what a further core is worth above 0 and at most 1")

    print(f"{args.articles / 1e6:,.1f} M articles, {args.terabytes:g} TB; a core reads {rate:,.1f} MB/s, each further")
    print(f"one is worth {efficiency:.0%} of it; a core's hour costs ${args.price:g}\n")
    print("| cores | network | time | limit | articles/s | cost | paper: 60 cores, a month |")
    print("|---|---|---|---|---|---|---|")
    for cores in args.cores:
        for gigabits in args.gigabits:
            found = scale(
                cores,
                gigabits,
                terabytes=args.terabytes,
                core_megabytes=rate,
                efficiency=efficiency,
                core_hour_price=args.price,
            )
            per_core = PAPER_CORES * PAPER_DAYS * DAY / (found.seconds * cores)
            print(
                f"| {cores} | {gigabits:g} Gbit/s | {spell(found.seconds)} | {found.limit} | "
                f"{args.articles / found.seconds:,.0f} | ${found.dollars:,.0f} | {per_core:,.1f}x fewer core hours |"
            )
    print()
    for cores in args.cores:
        needed = enough_gigabits(cores, rate, efficiency)
        print(
            f"{cores} core{'s' * (cores != 1)} fill{'s' * (cores == 1)} a network of {needed:,.1f} Gbit/s; with a slower one, it is the limit"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
