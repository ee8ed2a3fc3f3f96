"""Every task of tables 2 to 4 of the P-tuning v2 paper (arXiv:2110.07602) as one suite over one data folder.

`srl_ewt` is not in the paper: it can be had without a licence and stands in for CoNLL-2005 and CoNLL-2012.
"""

from bench.spec import Suite
from suites.glue import GLUE
from suites.ner import NER
from suites.qa import QA
from suites.srl import SRL
from suites.superglue import SUPERGLUE

UNIVERSAL = Suite(
    name="universal",
    tasks=(*SUPERGLUE.tasks, *GLUE.tasks, *NER.tasks, *QA.tasks, *SRL.tasks),
    models=SUPERGLUE.models,
    average=SUPERGLUE.average,
    methods=SUPERGLUE.methods,
)
