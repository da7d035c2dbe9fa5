"""Captions: what was drawn, in words of many turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from biomedica.demo.draw.canvas import pick

if TYPE_CHECKING:
    import numpy as np

    from biomedica.demo.draw import Drawing
    from biomedica.demo.draw.canvas import Fact

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NOUNS = {
    "glands": ("gland", "glands"),
    "cysts": ("cyst", "cysts"),
    "rings": ("six-membered ring", "six-membered rings"),
    "lines": ("line", "lines"),
    "mitochondria": ("mitochondrion", "mitochondria"),
    "haemorrhages": ("haemorrhage", "haemorrhages"),
}
UNITS = ("_bp", "_n", "_um", "_nm")
"""Numbers that are measured rather than counted: they stay in digits."""


@dataclass(frozen=True)
class Description:
    """Templates (see `rich.rich`) that tell of one drawing."""

    title: str
    sentences: tuple[str, ...]
    phrase: str
    """A clause for running text: "the western blot shows ..."."""
    panels: tuple[tuple[str, str], ...] = ()
    """Letter and sentence of each panel of a composite."""


TITLES: dict[str, tuple[str, ...]] = {
    "fluorescence": (
        "Fluorescence microscopy of {cells} cultured cells",
        "Confocal imaging of {markers}",
        "Immunofluorescence staining for {markers}",
    ),
    "histology": (
        "{stain} staining of tissue",
        "Histology of a {density} tissue section",
        "Representative {stain} section",
    ),
    "electron": (
        "Transmission electron microscopy of mitochondria",
        "Ultrastructure with {mitochondria} mitochondria",
        "Electron micrograph of the cytoplasm",
    ),
    "radiograph": (
        "Chest radiograph showing {finding}",
        "Chest X-ray with {finding}",
        "Frontal radiograph of the chest",
    ),
    "ct": (
        "Axial CT of the head",
        "Non-contrast head CT with {finding}",
        "Computed tomography of the brain: {finding}",
    ),
    "ultrasound": ("Ultrasound scan with {cysts_noun}", "Sonogram showing {cysts_noun}", "B-mode ultrasonography"),
    "dermoscopy": (
        "Dermoscopy of a {shape} pigmented lesion",
        "Dermoscopic image of a {colours} skin lesion",
        "Pigmented skin lesion under the dermatoscope",
    ),
    "fundus": ("Fundus photograph of the {eye} eye", "Colour fundus photography, {eye} eye", "Retina of the {eye} eye"),
    "blot": ("Western blot of {proteins}", "Immunoblot analysis of {proteins}", "Protein levels by western blotting"),
    "gel": (
        "Agarose gel electrophoresis of PCR products",
        "PCR gel, {positive} of {lanes} lanes positive",
        "Detection of a {size_bp}~bp amplicon",
    ),
    "ecg": ("Electrocardiogram showing {rhythm}", "{leads}-lead ECG recording", "ECG with {rhythm}"),
    "bar": ("Bar chart of {measure}", "{measure} across {bars} groups", "{measure} was highest with {highest}"),
    "line": ("Time course of {measure}", "{trend_cap} {measure} over time", "Changes in {measure} over {unit}"),
    "scatter": (
        "Scatter plot of {y} against {x}",
        "{correlation_cap} correlation of {x} and {y}",
        "Relation between {x} and {y}",
    ),
    "box": ("Box plots of {measure}", "Distribution of {measure} in {groups} groups", "{measure} by group"),
    "heatmap": (
        "Heat map of gene expression",
        "Hierarchical clustering of {genes} genes",
        "Expression of {genes} genes in {samples} samples",
    ),
    "survival": (
        "Kaplan\u2013Meier survival curves",
        "Overall survival by disease severity",
        "Survival of {curves} patient groups",
    ),
    "forest": ("Forest plot of {studies} studies", "Meta-analysis of {studies} trials", "Pooled odds ratios"),
    "flowchart": ("Flow chart of the study", "PRISMA flow diagram", "Study selection in {steps} steps"),
    "tree": (
        "Phylogenetic tree of {taxa} species",
        "Maximum likelihood phylogeny",
        "Phylogenetic relation of {taxa} bacteria",
    ),
    "molecule": (
        "Chemical structure of compound {rings}",
        "Structure of an aromatic compound with {rings_noun}",
        "Skeletal formula",
    ),
    "table": ("Baseline characteristics", "Summary of {rows} variables", "Characteristics of the study population"),
    "composite": ("Overview of the experiments", "Multimodal analysis", "Summary of findings in {panels} panels"),
}

SENTENCES: dict[str, tuple[str, ...]] = {
    "fluorescence": (
        "Micrograph of {cells} cells stained for {markers_colours}; nuclei are stained with DAPI (blue).",
        "{cells_cap} cells with {markers_colours} and DAPI-labelled blue nuclei on a black background.",
    ),
    "histology": (
        "{stain} stained section with {density} nuclei and {glands_noun}.",
        "Light microscopy after {stain} staining shows {glands_noun} in a stroma of {density} cellularity.",
    ),
    "electron": (
        "Electron micrograph with {mitochondria_noun} whose cristae are visible.",
        "Grey cytoplasm contains {mitochondria_noun} cut at different angles.",
    ),
    "radiograph": (
        "Posteroanterior chest radiograph shows {finding_side}.",
        "Chest X-ray demonstrating {finding_side}.",
    ),
    "ct": ("Head CT shows a {finding} in the {side} hemisphere.", "Axial CT slice with a {side}-sided {finding}."),
    "ultrasound": (
        "Sector ultrasound image shows {cysts_noun} with posterior enhancement.",
        "Sonography reveals {cysts_noun}, anechoic and sharply bounded.",
    ),
    "dermoscopy": (
        "Dermoscopic image of {article_shape} lesion, {colours} in colour; hairs are {hairs}.",
        "A {colours} {shape} melanocytic lesion; hairs {hairs}.",
    ),
    "fundus": (
        "Fundus image of the {eye} eye with {haemorrhages_noun}.",
        "Optic disc and vessels of the {eye} retina; {haemorrhages_noun}.",
    ),
    "blot": (
        "Immunoblot of {lanes} lanes probed for {proteins}; {control} is the loading control. Band intensity is {trend} from left to right.",
        "Western blot with {trend} signal across {lanes} lanes for {proteins} ({control}: loading control).",
    ),
    "gel": (
        "Agarose gel with {lanes} samples; {positive} of them show a {size_bp}~bp band. M, DNA ladder.",
        "Gel electrophoresis: {positive} of {lanes} lanes are positive ({size_bp}~bp). M: marker.",
    ),
    "ecg": ("Electrocardiogram of {leads} leads with {rhythm}.", "{leads_cap} leads show {rhythm} (25~mm/s)."),
    "bar": (
        "Bars in {colour} show {measure} of {bars} groups; {highest} is highest. Error bars: SD; asterisks, *p*~<~0.001.",
        "{measure} (mean ± SD) in {bars} groups ({colour} bars), with the highest value for {highest}.",
    ),
    "line": (
        "Line chart with {lines_noun} ({colours}) showing {trend} {measure} over {unit}.",
        "{measure} is {trend} over time in {unit} ({colours}); data are mean ± SEM.",
    ),
    "scatter": (
        "Scatter plot of {points} data points in {colour} shows {correlation} correlation.",
        "Each {colour} dot is one of {points} patients; there is {correlation} correlation between {x} and {y}.",
    ),
    "box": (
        "Box and whisker plots of {measure} for {groups} groups; the median is highest in {highest}.",
        "Boxes show median and interquartile range of {groups} groups, highest for {highest}.",
    ),
    "heatmap": (
        "Heat map ({palette}) of {genes} genes in {samples} samples, which form {clusters} clusters.",
        "Rows are {genes} genes and columns {samples} samples; {clusters} blocks appear on the {palette} scale.",
    ),
    "survival": (
        "Kaplan\u2013Meier plot of {curves} groups ({colours}); survival is best in {best} and worst in {worst} disease (time in {unit}).",
        "Survival curves in {colours} differ between {curves} groups, {best} disease having the best outcome and {worst} the worst.",
    ),
    "forest": (
        "Forest plot of {studies} trials; the pooled estimate (red diamond) favours {favours}.",
        "Odds ratios with 95% confidence intervals of {studies} studies favour {favours}.",
    ),
    "flowchart": (
        "Flow chart with {steps} boxes in {colour}, ending with {final_n} records.",
        "Diagram of {steps} steps ({colour} boxes) and {exclusions} exclusions; {final_n} remained.",
    ),
    "tree": (
        "Phylogenetic tree of {taxa} species; the clade of {clade_italic} is in {colour}. Numbers are bootstrap values.",
        "The {colour} clade joins {clade_italic} among {taxa} taxa.",
    ),
    "molecule": (
        "Skeletal formula with {rings_noun} and substituents {groups}.",
        "Structure of {rings_noun} bearing {groups}.",
    ),
    "table": (
        "Table of {rows} variables and {columns} columns ({heads}).",
        "Values of {rows} variables, given as {heads}.",
    ),
}

PHRASES: dict[str, tuple[str, ...]] = {
    "fluorescence": (
        "{markers} were seen in {cells} cells by fluorescence microscopy",
        "immunofluorescence located {markers} around the blue nuclei",
    ),
    "histology": ("{stain} staining revealed {glands_noun}", "histology showed {density} nuclei and {glands_noun}"),
    "electron": ("electron microscopy showed {mitochondria_noun}",),
    "radiograph": ("the chest radiograph showed {finding_side}", "chest X-ray revealed {finding_side}"),
    "ct": ("head CT showed a {finding} on the {side}",),
    "ultrasound": ("ultrasound revealed {cysts_noun}",),
    "dermoscopy": ("dermoscopy showed {article_shape} lesion in {colours}",),
    "fundus": ("the fundus of the {eye} eye had {haemorrhages_noun}",),
    "blot": ("western blotting of {proteins} gave a {trend} signal",),
    "gel": ("PCR was positive in {positive} of {lanes} samples",),
    "ecg": ("the electrocardiogram showed {rhythm}",),
    "bar": ("{measure} was highest in the {highest} group",),
    "line": ("{measure} was {trend} over the {unit}",),
    "scatter": ("there was {correlation} correlation between {x} and {y}",),
    "box": ("the {highest} group had the highest median {measure}",),
    "heatmap": ("{genes} genes fell into {clusters} clusters",),
    "survival": ("survival was best in {best} and worst in {worst} disease",),
    "forest": ("the pooled effect of {studies} trials favoured {favours}",),
    "flowchart": ("{final_n} records remained after {steps} steps",),
    "tree": ("{clade_italic} formed one clade",),
    "molecule": ("the compound has {rings_noun} with {groups}",),
    "table": ("the {rows} variables are listed",),
    "composite": ("{panels} experiments gave one picture",),
}


def describe(drawing: Drawing, rng: np.random.Generator) -> Description:
    """Title, sentences and a clause for `drawing`; a composite gets a sentence a panel."""
    words = _words(drawing.facts, rng)
    name = drawing.concept
    title = pick(rng, TITLES[name]).format(**words)
    phrase = pick(rng, PHRASES[name]).format(**words)
    if not drawing.panels:
        return Description(_capital(title), (_capital(pick(rng, SENTENCES[name]).format(**words)),), phrase)
    panels = []
    for letter, panel in zip("ABCD", drawing.panels, strict=False):
        sentence = pick(rng, SENTENCES[panel.concept]).format(**_words(panel.facts, rng))
        panels.append((letter, _capital(sentence)))
    mark = pick(rng, ("({})", "{},", "({})"))
    sentences = tuple(f"{mark.format(letter)} {sentence}" for letter, sentence in panels)
    return Description(_capital(title), sentences, phrase, tuple(panels))


def _words(facts: dict[str, Fact], rng: np.random.Generator) -> dict[str, str]:
    """Facts as the words of templates: numbers in digits or letters, lists joined, nouns agreed."""
    words: dict[str, str] = {}
    spelled = rng.random() < 0.5
    for name, fact in facts.items():
        if isinstance(fact, list):
            words[name] = _listed(fact)
        elif isinstance(fact, int):
            small = spelled and 0 < fact < len(NUMBERS) and not name.endswith(UNITS)
            words[name] = NUMBERS[fact] if small else str(fact)
            words[f"{name}_noun"] = _counted(name, fact, words[name])
        else:
            words[name] = fact
        words[f"{name}_cap"] = _capital(words[name])
    return words | _joined(facts)


def _counted(name: str, count: int, number: str) -> str:
    """A number with its noun: no cysts, one cyst, two cysts."""
    singular, plural = NOUNS.get(name, (name, name))
    return f"no {plural}" if count == 0 else f"{number} {singular if count == 1 else plural}"


def _joined(facts: dict[str, Fact]) -> dict[str, str]:
    """Words that take more than one fact, or more than joining a list."""
    words: dict[str, str] = {}
    match facts:
        case {"markers": list(markers), "colours": list(colours)}:
            words["markers_colours"] = _listed([f"{m} ({c})" for m, c in zip(markers, colours, strict=True)])
        case {"proteins": [*probed, str(control)]}:
            words["proteins"], words["control"] = _listed(probed), control.replace("beta", "β")
        case {"clade": list(clade)}:
            words["clade_italic"] = _listed([f"*{name}*" for name in clade])
        case {"finding": str(finding), "side": str(side)}:
            words["finding_side"] = finding if side == "none" else f"{finding} on the {side} side"
        case {"shape": str(shape)}:
            words["article_shape"] = f"{'an' if shape.startswith('a') else 'a'} {shape}"
    return words


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _capital(text: str) -> str:
    """The first letter in upper case, unless markup or a name like p53 stands there."""
    return text if text[:2] in {"p5", "p-"} else text[:1].upper() + text[1:]
