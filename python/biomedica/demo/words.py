"""Vocabulary and sentence patterns: enough for running text that reads like a biomedical article."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from biomedica.demo.draw.canvas import pick, some

if TYPE_CHECKING:
    import numpy as np

GENES = (
    "*TP53*",
    "*BRCA1*",
    "*EGFR*",
    "*KRAS*",
    "TGF-β1",
    "TNF-α",
    "IL-6",
    "IFN-γ",
    "NF-κB",
    "*PTEN*",
    "VEGF-A",
    "HIF-1α",
    "*MYC*",
    "PPAR-γ",
    "CD8^{+}",
)
ORGANS = ("liver", "lung", "kidney", "heart", "brain", "skin", "retina", "colon", "pancreas", "bone marrow")
DISEASES = (
    "fibrosis",
    "ischaemia",
    "melanoma",
    "diabetes",
    "sepsis",
    "asthma",
    "hepatitis",
    "glioma",
    "tuberculosis",
    "arthritis",
)
ORGANISMS = (
    "mice",
    "rats",
    "patients",
    "zebrafish",
    "*Drosophila melanogaster*",
    "*Escherichia coli*",
    "human volunteers",
    "*C. elegans*",
)
DRUGS = (
    "metformin",
    "rapamycin",
    "cisplatin",
    "dexamethasone",
    "imatinib",
    "losartan",
    "resveratrol",
    "H_{2}O_{2}",
    "CaCl_{2}",
    "interferon β",
)
SURNAMES = (
    "Smith",
    "García",
    "Müller",
    "Nguyen",
    "Kowalski",
    "Rossi",
    "Tanaka",
    "O’Brien",
    "Søndergaard",
    "Chen",
    "Patel",
    "Dubois",
    "Ivanova",
    "Haddad",
    "Okafor",
    "Lindqvist",
    "Peña",
    "Björk",
    "Silva",
    "Kim",
)
GIVEN = (
    "Anna",
    "José",
    "Li Wei",
    "M. K.",
    "Thomas",
    "Fatima",
    "Björn",
    "Elena",
    "J",
    "Renée",
    "Kenji",
    "Amara",
    "Peter J.",
    "Sofía",
    "David",
    "Noor",
)
JOURNALS = {
    "plos": ("PLoS ONE", "PLoS Biology", "PLoS Neglected Tropical Diseases"),
    "elife": ("eLife",),
    "elsevier": ("EBioMedicine", "Redox Biology", "Data in Brief"),
    "frontiers": ("Frontiers in Immunology", "Frontiers in Oncology", "Frontiers in Physiology"),
    "bmc": ("BMC Bioinformatics", "BMC Microbiology", "BMC Cancer"),
    "pmc": ("The Journal of Clinical Investigation", "Proceedings of the Society", "Annals of Synthetic Medicine"),
}
SUBJECTS = (
    "Research Article",
    "Cell Biology",
    "Immunology",
    "Oncology",
    "Microbiology",
    "Radiology",
    "Neuroscience",
    "Genetics & Genomics",
)
KEYWORDS = (
    "imaging",
    "biomarker",
    "cohort study",
    "inflammation",
    "gene expression",
    "machine learning",
    "prognosis",
    "*in vitro*",
    "oxidative stress",
    "randomised trial",
    "NF-κB",
    "survival",
)

_SUBJECT = (
    "{gene} expression",
    "the level of {gene}",
    "treatment with {drug}",
    "loss of {gene}",
    "the effect of {drug}",
    "{organ} function",
    "our analysis of {organisms}",
    "the response to {drug}",
    "activation of {gene} signalling",
    "the severity of {disease}",
)
_VERB = (
    "was associated with",
    "led to",
    "did not alter",
    "correlated with",
    "preceded",
    "was independent of",
    "strongly reduced",
    "increased",
    "was accompanied by",
    "is thought to drive",
)
_OBJECT = (
    "{disease} of the {organ}",
    "a {n}% change in {gene} levels",
    "the number of infiltrating cells",
    "{organ} weight in {organisms}",
    "recovery within {n}~days",
    "the risk of {disease}",
    "mitochondrial damage",
    "CO_{2} production in the {organ}",
    "the concentration of Ca^{2+} at {n}~μM",
    "tissue repair",
)
_TAIL = (
    "",
    "",
    "",
    " (*p*~=~0.0{n})",
    " in {organisms}",
    " compared with controls",
    " after {n} weeks",
    ", as reported previously",
    " (mean {n}~± 3~mg)",
    " at 37~°C",
    ", although the sample was small",
    "; this held for both sexes",
    " across all {n} centres",
    " when the dose was ≥ {n}~μg/mL",
)
_OPEN = ("", "", "", "", "Moreover, ", "In contrast, ", "Notably, ", "However, ", "Taken together, ", "As expected, ")

MENTIONS = (
    "As shown in {{fig}}, {phrase}.",
    "Here {phrase} ({{fig}}).",
    "We found that {phrase} ({{fig}}).",
    "{{fig}} shows that {phrase}.",
    "Consistent with this, {phrase} (see {{fig}}).",
    "In {{fig}}, {phrase}.",
)
RANGES = (
    "The findings are summarised in {fig}.",
    "All data are given in {fig}.",
    "An overview is provided by {fig}, which belong together.",
    "Details of these experiments are found in {fig}.",
)


@dataclass(frozen=True)
class Topic:
    """What an article is about."""

    gene: str
    organ: str
    disease: str
    organisms: str
    drug: str

    def fill(self, rng: np.random.Generator, template: str) -> str:
        """`template` with this topic's words and a number; doubled braces stay as slots for `rich`."""
        number = str(int(rng.integers(2, 98)))
        for name in ("gene", "organ", "disease", "organisms", "drug"):
            template = template.replace(f"{{{name}}}", getattr(self, name))
        return template.replace("{n}", number)


def topic(rng: np.random.Generator) -> Topic:
    """A random topic."""
    return Topic(pick(rng, GENES), pick(rng, ORGANS), pick(rng, DISEASES), pick(rng, ORGANISMS), pick(rng, DRUGS))


def title(rng: np.random.Generator, about: Topic) -> str:
    """A title for an article."""
    patterns = (
        "{gene} controls {disease} of the {organ} in {organisms}",
        "Effect of {drug} on {organ} {disease}: a study in {organisms}",
        "{drug} and {gene} in {disease}",
        "Imaging of {organ} {disease} in {organisms} treated with {drug}",
    )
    words = about.fill(rng, pick(rng, patterns))
    return words[:1].upper() + words[1:]


def sentence(rng: np.random.Generator, about: Topic) -> str:
    """One sentence of running text, with the markup of `rich.rich`."""
    other = about if rng.random() < 0.6 else topic(rng)
    opening = pick(rng, _OPEN)
    subject = other.fill(rng, pick(rng, _SUBJECT))
    words = f"{opening}{subject} {pick(rng, _VERB)} {other.fill(rng, pick(rng, _OBJECT))}{other.fill(rng, pick(rng, _TAIL))}."
    return words[:1].upper() + words[1:]


def sentences(rng: np.random.Generator, about: Topic, low: int = 4, high: int = 9) -> str:
    """Some sentences in a row."""
    return " ".join(sentence(rng, about) for _ in range(int(rng.integers(low, high))))


def person(rng: np.random.Generator) -> tuple[str, str]:
    """Given names and surname."""
    return pick(rng, GIVEN), pick(rng, SURNAMES)


def keywords(rng: np.random.Generator, about: Topic) -> list[str]:
    """Keywords, each once."""
    return list(dict.fromkeys([about.disease, about.organ, *some(rng, KEYWORDS, 3)]))
