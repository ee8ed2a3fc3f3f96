"""Every task of tables 2 to 4 of the P-tuning v2 paper (arXiv:2110.07602) as one suite over one data folder.

Not in the paper are `srl_ewt`, which can be had without a licence and stands in for CoNLL-2005 and CoNLL-2012, and all
of GLUE but SST-2. RTE is one task in both suites, and here once.
"""

from bench.task import Suite

from .glue import GLUE
from .ner import NER
from .qa import QA
from .srl import SRL
from .superglue import SUPERGLUE

UNIVERSAL = Suite(
    name="universal",
    tasks=(
        *SUPERGLUE.tasks,
        *(task for task in GLUE.tasks if task not in SUPERGLUE.tasks),
        *NER.tasks,
        *QA.tasks,
        *SRL.tasks,
    ),
    models=SUPERGLUE.models,
    average=SUPERGLUE.average,
    methods=SUPERGLUE.methods,
)
