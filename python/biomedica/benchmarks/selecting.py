"""The case `select`: a selection of many pairs, beside SQL by hand and the least that it can cost."""

import duckdb
import pyarrow.dataset as pads

import biomedica
from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import FLOOR, Measured, beside, interleaved, timed
from biomedica.benchmarks.synthetic import add_labels, synthetic

READ = ("image_id", "article_accession_id", "status", "shard")
"""The columns of figures without which no pair is chosen."""
QUANTILE = 0.6
SQL = """
COPY (
    WITH pairs AS (SELECT image_id FROM '{root}/figures/*.parquet' WHERE status = 'ok' AND shard IS NOT NULL),
    labels AS (
        SELECT image_id, unnest(image_primary_label) AS label FROM '{root}/labels/*.parquet' SEMI JOIN pairs USING (image_id)
    ),
    cap AS (SELECT quantile_disc(n, {quantile}) AS most FROM (SELECT count(*) AS n FROM labels GROUP BY label))
    SELECT DISTINCT image_id FROM labels
    QUALIFY row_number() OVER (PARTITION BY label ORDER BY hash(image_id)) <= (SELECT most FROM cap)
    ORDER BY image_id
) TO '{output}' (FORMAT parquet)
"""


def select(corpus: Corpus, rounds: int) -> Measured:
    """Choose pairs of made-up tables: all of them, and with concepts balanced as the paper's third training set is."""
    dataset = synthetic(corpus.work, corpus.figures)
    root = dataset.path
    add_labels(dataset)
    out = corpus.work / "selections"
    out.mkdir(exist_ok=True)

    def reading() -> None:
        for batch in pads.dataset(root / "figures").to_batches(columns=list(READ)):
            batch.validate()

    def sql() -> None:
        with duckdb.connect() as connection:
            connection.execute(SQL.format(root=root, quantile=QUANTILE, output=out / "sql.parquet"))

    measured = interleaved(
        [
            timed("all", lambda: biomedica.select(root, out / "all.parquet")),
            timed("reading", reading),
            timed("balanced", lambda: biomedica.select(root, out / "balanced.parquet", preset="concept-balanced")),
            timed("sql", sql),
            timed("opened, all", lambda: biomedica.stream(root, selection=out / "all.parquet")),
            timed("opened", lambda: biomedica.stream(root)),
        ],
        rounds,
    )
    pairs = int(dataset.stats()["pairs"])
    rows = (
        (f"select all of {pairs:,} pairs", "all", f"{FLOOR}pyarrow reads four columns", "reading"),
        ("select, concepts balanced", "balanced", "SQL by hand, DuckDB", "sql"),
        ("open a stream of a selection of all", "opened, all", f"{FLOOR}without a selection", "opened"),
    )
    return [
        beside(measured, case, peer, pairs, "pairs/s", ours=ours, theirs=theirs) for case, ours, peer, theirs in rows
    ], measured
