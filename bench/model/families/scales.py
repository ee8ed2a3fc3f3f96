"""Named scale families: one name for the models of a scaling study, in order of size. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError, unknown


@dataclass(frozen=True)
class Member:
    """A model of a scale family.

    `parameters` counts what the harness loads: with the language-model head, without a pooler, tied weights once; None
    where nothing is loaded. `revision` is one that has safetensors weights, where main has others. `remark` is the
    reason why the harness cannot load it, empty when it can, `note` what else to know before it is asked for.
    """

    short: str
    repo: str
    parameters: int | None
    remark: str = ""
    revision: str = ""
    note: str = ""

    @property
    def reference(self) -> str:
        """What `--models` takes for it."""
        return f"{self.repo}@{self.revision}" if self.revision else self.repo


_OWN_CODE = (
    "its checkpoint needs code of its own (trust_remote_code), which is not run; transformers' own GLM classes load "
    "later models only, like THUDM/glm-4-9b-hf"
)
_NO_REVISION = (
    "main has pickled weights, which are not loaded, and no revision with others is known; name one: --models "
    "google/t5-v1_1-large@REVISION"
)
_NO_WORDS = "no language-model head: linear heads alone"
_GATED = "gated: accept its terms on its page, then hf auth login or HF_TOKEN"
# The hub's bot has put safetensors beside pickled weights in pull requests that nobody merged; they are revisions.
_DEBERTA = {
    "xsmall": "eb2d654bf0a5b628c8be6c4be7d29118fbef95b8", "small": "a59be8aa63396e73dbb45a1487e4cde4be98bfa4",
    "base": "82d8d18a7b88346261ba15d8b1044900a452cf90", "large": "d0eb112b2451491fbbaf55b168c85825ba1d7ad1",
}  # fmt: skip
_ELECTRA = {"small": "refs/pr/2", "base": "622038df5bb2999b99d614f9f604dcc6f08cb3d7", "large": "refs/pr/2"}
_T5 = {
    "small": "4d2efc22bf460b67006ba961cbe5fea53192fd42", "base": "refs/pr/1", "large": "",
    "xl": "518fec1361d0fd82dd8fd185fcb0bbd1d404d65d", "xxl": "refs/pr/2",
}  # fmt: skip
_T5_SIZES = (
    ("small", 76_961_152), ("base", 247_577_856), ("large", 783_150_080), ("xl", 2_849_757_184),
    ("xxl", 11_135_332_352),
)  # fmt: skip
_ETTIN_SIZES = (
    ("17m", 16_913_600), ("32m", 32_081_344), ("68m", 68_457_664), ("150m", 149_655_232), ("400m", 395_881_664),
    ("1b", 1_031_314_112),
)  # fmt: skip
SCALES: dict[str, tuple[Member, ...]] = {
    # Biderman et al. 2023, arXiv:2304.01373; the totals of their model cards
    "pythia": tuple(
        Member(short, f"EleutherAI/pythia-{short}", parameters)
        for short, parameters in (
            ("14m", 14_067_712), ("31m", 30_494_720), ("70m", 70_426_624), ("160m", 162_322_944),
            ("410m", 405_334_016), ("1b", 1_011_781_632), ("1.4b", 1_414_647_808), ("2.8b", 2_775_208_960),
            ("6.9b", 6_857_302_016), ("12b", 11_846_072_320),
        )
    ),
    # Turc et al. 2019, arXiv:1908.08962: layers/width, heads of 64
    "bert-miniatures": tuple(
        Member(f"{layers}/{width}", f"google/bert_uncased_L-{layers}_H-{width}_A-{width // 64}", parameters)
        for layers, width, parameters in (
            (2, 128, 4_416_698), (4, 128, 4_813_242), (6, 128, 5_209_786), (8, 128, 5_606_330), (10, 128, 6_002_874),
            (12, 128, 6_399_418), (2, 256, 9_622_074), (4, 256, 11_201_594), (6, 256, 12_781_114),
            (8, 256, 14_360_634), (10, 256, 15_940_154), (12, 256, 17_519_674), (2, 512, 22_490_426),
            (4, 512, 28_795_194), (6, 512, 35_099_962), (2, 768, 38_635_578), (8, 512, 41_404_730),
            (10, 512, 47_709_498), (4, 768, 52_811_322), (12, 512, 54_014_266), (6, 768, 66_987_066),
            (8, 768, 81_162_810), (10, 768, 95_338_554), (12, 768, 109_514_298),
        )
    ),
    # P-tuning v2 (Liu et al. 2022, arXiv:2110.07602), section 4.1
    "paper": (
        Member("bert-large", "bert-large-cased", 333_610_308),
        Member("roberta-large", "roberta-large", 355_412_057),
        Member("glm-2b", "THUDM/glm-2b", None, _OWN_CODE),
        Member("glm-10b", "THUDM/glm-10b", None, _OWN_CODE),
    ),
    # Weller et al. 2025, arXiv:2507.11412: one recipe and shape for encoders and decoders
    "ettin-encoder": tuple(
        Member(short, f"jhu-clsp/ettin-encoder-{short}", parameters) for short, parameters in _ETTIN_SIZES
    ),
    "ettin-decoder": tuple(
        Member(short, f"jhu-clsp/ettin-decoder-{short}", parameters) for short, parameters in _ETTIN_SIZES
    ),
    # He et al. 2023, arXiv:2111.09543: small is as wide as base
    "deberta-v3": tuple(
        Member(short, f"microsoft/deberta-v3-{short}", parameters, revision=_DEBERTA[short], note=_NO_WORDS)
        for short, parameters in (
            ("xsmall", 70_682_112), ("small", 141_304_320), ("base", 183_831_552), ("large", 434_012_160),
        )
    ),
    # Clark et al. 2020, arXiv:2003.10555
    "electra": tuple(
        Member(short, f"google/electra-{short}-discriminator", parameters, revision=_ELECTRA[short], note=_NO_WORDS)
        for short, parameters in (("small", 13_483_008), ("base", 108_891_648), ("large", 334_092_288))
    ),
    # Shazeer 2020, arXiv:2002.05202: T5 pretrained on C4 alone
    "t5-v1.1": tuple(
        Member(
            short, f"google/t5-v1_1-{short}", parameters, "" if _T5[short] else _NO_REVISION, revision=_T5[short]
        )
        for short, parameters in _T5_SIZES
    ),
    # Chung et al. 2022, arXiv:2210.11416: the same, tuned on instructions, among them tasks of GLUE and SuperGLUE
    "flan-t5": tuple(Member(short, f"google/flan-t5-{short}", parameters) for short, parameters in _T5_SIZES),
    # Ben Allal et al. 2025, arXiv:2502.02737
    "smollm2": tuple(
        Member(short, f"HuggingFaceTB/SmolLM2-{short.upper()}", parameters)
        for short, parameters in (("135m", 134_515_008), ("360m", 361_821_120), ("1.7b", 1_711_376_384))
    ),
    # Qwen Team 2025, arXiv:2505.09388
    "qwen3": tuple(
        Member(short, f"Qwen/Qwen3-{short.upper()}-Base", parameters)
        for short, parameters in (
            ("0.6b", 596_049_920), ("1.7b", 1_720_574_976), ("4b", 4_022_468_096), ("8b", 8_190_735_360),
        )
    ),
    # Gemma Team 2025, arXiv:2503.19786: of 4B and 12B the part that reads text
    "gemma-3": tuple(
        Member(short, f"google/gemma-3-{short}{'' if short == '270m' else '-pt'}", parameters, note=_GATED)
        for short, parameters in (
            ("270m", 268_098_176), ("1b", 999_885_952), ("4b", 3_880_263_168), ("12b", 11_766_034_176),
        )
    ),
}  # fmt: skip
LISTS = ("paper",)  # of models that are not one family
FAMILIES_HINT = f"Families of models: {', '.join(SCALES)}; one of them, or some: pythia:70m, pythia:70m..1b"


def expand(name: str) -> tuple[Member, ...] | None:
    """The models that `FAMILY`, `FAMILY:MODEL` or `FAMILY:SMALLEST..LARGEST` stands for, in order of size.

    None when the name is no family's (a folder goes before a family). UsageError for a model the family has not.
    """
    family, colon, part = name.partition(":")
    if family not in SCALES or Path(name).is_dir():
        return None
    members = SCALES[family]
    if not colon:
        return members
    shorts = [member.short for member in members]
    first, dots, last = part.partition("..")
    for short in (first, last) if dots else (first,):
        if (short and short not in shorts) or not part.strip("."):
            raise unknown(f"model of the family {family!r}", short, shorts)
    start = shorts.index(first) if first else 0
    end = (shorts.index(last) if last else len(shorts) - 1) if dots else start
    if start > end:
        raise UsageError(f"--models {name}: {first} is larger than {last}; give the smaller one first")
    return members[start : end + 1]


def listed(repo: str) -> Member | None:
    """The member of a family that a model of the hub is; None for any other."""
    return next((member for family in SCALES.values() for member in family if member.repo == repo), None)


def family_named(model: str) -> str:
    """The family that a model is of, by its name in a table: a hub's id, or a folder that is called as it; "" for any
    other, and for those of a list whose models are of several architectures.
    """
    bare = model.partition("@")[0].rpartition("/")[2].casefold()
    for family, members in SCALES.items():
        if family not in LISTS and any(member.repo.rpartition("/")[2].casefold() == bare for member in members):
            return family
    return ""


def listed_size(repo: str) -> int | None:
    """The parameters of a model that a family names; None for any other."""
    member = listed(repo)
    return member.parameters if member else None
