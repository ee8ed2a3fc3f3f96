"""The words of the small language, by what they can do in a sentence. Everything is lower case."""

from __future__ import annotations


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Names of people who do things to one another: never places or firms, so that facts are about roles alone.
PEOPLE = _listed("anna ben carl dora emma fred greta hugo ida jack kate leo")

# Words that name persons, places and firms alike: only the sentence around them tells which.
NAMES = _listed(
    "adelaide austin bradford carson charlotte chelsea chester clinton dallas denver devon florence georgia hamilton"
    " houston hudson jackson jordan kent kingston lancaster lincoln logan madison nelson paris preston savannah"
    " stafford sydney valencia victoria virginia warwick washington wellington"
)
# Second words of names; all but the last few are common nouns or verbs as well.
SECONDS = _listed("hill wood lake park brook field ford stone rose may bell church king marsh banks rivers")

COLOURS = _listed("red blue green black old new")
THINGS = _listed("car book lamp ring boat chair coat clock drum hat plate vase")

SUBJECTS = _listed("film book hotel meal room show song play story music food staff garden museum tour party")
GOOD = _listed("good great fine nice lovely superb charming clever")
BAD = _listed("bad awful poor dull terrible boring stale rude")
LIKE = (("like", "liked"), ("love", "loved"), ("enjoy", "enjoyed"), ("praise", "praised"))
HATE = (("hate", "hated"), ("dislike", "disliked"), ("regret", "regretted"), ("mock", "mocked"))
DEGREES = ("very", "really", "rather", "quite", "so")
CRITICS = ("i", "we", "my friend", "the children", "our guests", "everyone")

ANIMALS = _listed("dog cat horse bird cow duck goat hen")
ACTIONS = _listed("sleep run sing jump eat drink wait walk")
PLACES = ("in the garden", "by the river", "under the tree", "near the house", "on the hill", "at the church")
TIMES = ("today", "yesterday", "last year", "in spring", "in may", "this week")

# Words that only the meaning of a text predicts: answers, and what is judged or done and by whom.
ANSWERS = ("yes", "no")
WEIGHTY = (*PEOPLE, *THINGS, *GOOD, *BAD, *(form for pair in LIKE + HATE for form in pair))
