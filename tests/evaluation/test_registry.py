"""The registry's tasks: each names its source, and reads the files as their authors publish them."""

import io
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import biomedica as bm
from biomedica.evaluation.data import TaskData
from biomedica.evaluation.tasks import METRICS, registry

FILES = Path(bm.__file__).parent / "evaluation" / "registry"


def image(form: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), (90, 20, 60)).save(data, form)
    return data.getvalue()


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def classes(name: str, root: Path) -> list[tuple[str, str | None]]:
    """The name of the class and the group of each image, by the order of the files."""
    data = TaskData(registry()[name], root)
    names = [one.name for one in data.task.classes]
    found = [(names[item.label], item.group) for item in data if isinstance(item.label, int)]
    assert data.check().items == len(found)
    return found


def test_every_task_is_valid_and_names_the_source_of_its_definition() -> None:
    tasks = registry()
    assert set(tasks) == {path.stem for path in FILES.glob("*.toml")}
    assert len(tasks) > 70
    for name, task in tasks.items():
        assert task.metric in METRICS[task.kind]
        remarks = [line for line in (FILES / f"{name}.toml").read_text("utf-8").splitlines() if line.startswith("# ")]
        assert any(line.startswith(("# classes: https://", "# columns: https://")) for line in remarks), name


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("pathmnist", 9),  # by MedMNIST 3.0.2, as all that end so
        ("chestmnist", 14),
        ("tissuemnist", 8),
        ("organamnist", 11),
        ("ham10000", 7),  # by ISIC 2018, task 3
        ("kather-2016", 8),  # as its kin by the table of μ-Bench (arXiv 2407.01791)
        ("nct-crc-he-val-7k", 9),
        ("acevedo-2020", 8),
        ("dresden-surgical-anatomy", 11),  # doi:10.1038/s41597-022-01719-2
        ("bracs", 7),  # arXiv 2111.04740
        ("octdl", 7),  # arXiv 2312.08255
        ("fetal-planes", 6),  # doi:10.1038/s41598-020-67076-5
    ],
)
def test_tasks_have_as_many_classes_as_their_papers_say(name: str, number: int) -> None:
    assert len(registry()[name].classes) == number


def test_masks_beside_ultrasound_images_do_not_count(tmp_path: Path) -> None:
    stems = ("benign/benign (1)", "malignant/malignant (1)", "normal/normal (1)")
    ends = (".png", "_mask.png", "_mask_1.png")
    write(tmp_path, {f"Dataset_BUSI_with_GT/{stem}{end}": image() for stem in stems for end in ends})
    assert classes("busi", tmp_path) == [("benign", None), ("malignant", None), ("normal", None)]


def test_breast_slides_of_other_magnifications_do_not_count(tmp_path: Path) -> None:
    slides = "BreaKHis_v1/histology_slides/breast"
    benign, malignant = "benign/SOB/adenosis/SOB_B_A_14-22549AB", "malignant/SOB/ductal_carcinoma/SOB_M_DC_14-2523"
    write(
        tmp_path,
        {
            f"{slides}/{benign}/40X/SOB_B_A-14-22549AB-40-001.png": image(),
            f"{slides}/{benign}/400X/SOB_B_A-14-22549AB-400-001.png": image(),
            f"{slides}/{malignant}/40X/SOB_M_DC-14-2523-40-002.png": image(),
            f"{slides}/{malignant}/100X/SOB_M_DC-14-2523-100-002.png": image(),
        },
    )
    assert classes("breakhis-40x", tmp_path) == [("benign", f"{benign}/40X"), ("malignant", f"{malignant}/40X")]


def test_one_table_of_fetal_ultrasound_serves_two_tasks(tmp_path: Path) -> None:
    rows = (
        "Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train ",
        "Patient00001_Plane1_1_of_15;1;Other;Not A Brain;Other;Aloka;1",
        "Patient00002_Plane3_1_of_2;2;Fetal brain;Trans-cerebellum;Op. 1;Voluson E6;0",
        "Patient00002_Plane3_2_of_2;2;Fetal brain;Other;Op. 1;Voluson E6;0",
        "Patient00003_Plane2_1_of_1;3;Fetal abdomen;Not A Brain;Op. 1;Voluson E6;0",
    )
    write(tmp_path, {"FETAL_PLANES_ZENODO/FETAL_PLANES_DB_data.csv": "\n".join(rows)})
    write(tmp_path, {f"FETAL_PLANES_ZENODO/Images/{row.split(';')[0]}.png": image() for row in rows[1:]})
    assert classes("fetal-planes", tmp_path) == [("fetal brain", "2"), ("fetal brain", "2"), ("fetal abdomen", "3")]
    assert classes("fetal-brain-planes", tmp_path) == [("trans-cerebellum", "2")]


def test_tiles_of_lymphocytes_are_of_the_test_patients(tmp_path: Path) -> None:
    tiles = [
        f"images-tcga-tils/brca/{part}/til-{sign}/1.png"
        for part in ("train", "test")
        for sign in ("positive", "negative")
    ]
    lines = [
        f"{tile.split('/')[2]},brca,TCGA-{number},{tile.split('/')[3]},{tile},0" for number, tile in enumerate(tiles)
    ]
    write(
        tmp_path,
        {"TCGA-TILs/images-tcga-tils-metadata.csv": "\n".join(["partition,study,barcode,label,path,md5", *lines])},
    )
    write(tmp_path, {f"TCGA-TILs/{tile}": image() for tile in tiles})
    assert classes("tcga-tils", tmp_path) == [("positive", "TCGA-2"), ("negative", "TCGA-3")]


def test_tiles_that_show_no_tissue_of_the_task_do_not_count(tmp_path: Path) -> None:
    names = ("blood", "cancer", "empty", "normal", "other", "stroma")
    write(tmp_path, {f"tissue_classification/{name}/{name}Tile 1.png": image() for name in names})
    assert [name for name, _ in classes("ccrcc-tissue", tmp_path)] == ["blood", "cancer", "normal", "stroma"]


def test_an_abdomen_has_no_directory_of_several_organs(tmp_path: Path) -> None:
    files = (
        "abdominal_wall/01/image00.png",
        "abdominal_wall/01/mask00.png",
        "multilabel/01/image00.png",
        "ureter/02/image07.png",
    )
    write(tmp_path, {f"dsad/{file}": image() for file in files})
    assert classes("dresden-surgical-anatomy", tmp_path) == [
        ("abdominal wall", "abdominal_wall/01"),
        ("ureter", "ureter/02"),
    ]


def test_photos_of_biopsies_are_read_from_tiff(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            f"ICIAR2018_BACH_Challenge/Photos/{name}/1.tif": image("TIFF")
            for name in ("Benign", "InSitu", "Invasive", "Normal")
        },
    )
    write(tmp_path, {"ICIAR2018_BACH_Challenge/Photos/microscopy_ground_truth.csv": "b001.tif,Benign\n"})
    assert [name for name, _ in classes("bach", tmp_path)] == [
        "benign",
        "in situ carcinoma",
        "invasive carcinoma",
        "normal",
    ]


def test_copies_on_the_hub_have_numbers_and_booleans_for_labels(tmp_path: Path) -> None:
    def copy(name: str, **columns: list[object]) -> None:
        folder = tmp_path / name / "data"
        folder.mkdir(parents=True)
        pixels = [{"bytes": image(), "path": None}] * len(next(iter(columns.values())))
        pq.write_table(pa.table({"image": pixels, **columns}), folder / "test-00000-of-00001-3bfa.parquet")

    copy("1aurent/PatchCamelyon", label=[True, False])
    copy("Alejandro98/LC25000", organ=[0, 1, 0, 1], label=[2, 1, 0, 0])
    assert [name for name, _ in classes("patchcamelyon", tmp_path)] == ["tumor", "normal"]
    assert [name for name, _ in classes("lc25000-lung", tmp_path)] == ["squamous cell carcinoma", "benign"]
    assert [name for name, _ in classes("lc25000-colon", tmp_path)] == ["adenocarcinoma", "benign"]


def test_a_question_of_the_microscopy_benchmark_has_the_options_of_its_image(tmp_path: Path) -> None:
    def question(*options: str) -> dict[str, object]:
        return {
            "question": "?",
            "options": [*options, "none of the above"] if options else None,
            "answer": options[0] if options else None,
        }

    rows: list[dict[str, object]] = [
        {"image_id": "a", "dataset": "acevedo_et_al_2020", "stain": "giemsa", "questions": {"classification": question("basophil", "monocyte"), "stain": question("giemsa", "h&e")}},
        {"image_id": "b", "dataset": None, "stain": "H2B-mCherry", "questions": {"classification": question("anaphase", "g1"), "stain": question("H2B-mCherry", "dapi")}},
        {"image_id": "c", "dataset": "opencell", "stain": "gfp", "questions": {"classification": question("nucleus", "golgi"), "stain": question("gfp", "h&e")}},
        {"image_id": "d", "dataset": "nirschl_unpub_fluorescence", "stain": None, "questions": {"classification": question("axon", "dendrite"), "stain": question()}},
    ]  # fmt: skip
    table = pa.Table.from_pylist([{**row, "image": {"bytes": image(), "path": None}} for row in rows])
    folder = tmp_path / "jnirschl/uBench/perception/0.1.0"
    folder.mkdir(parents=True)
    with pa.ipc.new_stream(folder / "ubench-test-00000-of-00007.arrow", table.schema) as writer:
        writer.write_table(table)

    def asked(name: str) -> list[tuple[str, tuple[str, ...] | None]]:
        return [(item.key, item.options) for item in TaskData(registry()[name], tmp_path)]

    assert asked("ubench-acevedo-et-al-2020") == [("a", ("basophil", "monocyte", "none of the above"))]
    assert asked("ubench-held-et-al-2010-h2b") == [("b", ("anaphase", "g1", "none of the above"))]
    assert [key for key, _ in asked("ubench-stain")] == ["a", "b"]
