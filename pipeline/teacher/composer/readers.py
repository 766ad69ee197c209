"""Bridges from what a reader knows to what a passage explains, chosen by words in the description of the audience."""

from random import Random

BRIDGES: dict[str, tuple[str, ...]] = {
    "child": (
        "It is like sorting your cards: you look at one, decide, and go to the next.",
        "You could do it with pencil and paper. The computer does the same, only faster.",
        "Say each step aloud, one at a time; then write down what you said.",
    ),
    "second week": (
        "Each line does one small thing, and the lines run from top to bottom.",
        "Write the value of every variable in the margin as you go; nothing else is hidden.",
        "Nothing is needed here beyond variables, a loop and a condition.",
    ),
    "mathematics": (
        "State the invariant first; the code is then its proof by induction on the length of the input.",
        "The empty case is the base of the induction, and the body of the loop is its step.",
        "The definition is one line of set notation, and the program hardly longer.",
    ),
    "analyst": (
        "In a spreadsheet this would be a helper column and a formula below it.",
        "In SQL terms: a WHERE, an expression in the SELECT, and an aggregate.",
        "Look at the odd rows first: an empty table, a single row, a repeated value.",
    ),
    "Java": (
        "A stream with filter, map and a collector has the same shape; here the collection itself is iterated.",
        "There is no index variable to declare, and no type either; the annotations are for readers and tools.",
        "What needs a class in Java is often a function of three lines here.",
    ),
    "C programmer": (
        "There is no buffer to size and no terminator to look for; the sequence knows its length.",
        "The loop hands out the elements themselves rather than offsets into an array.",
        "A slice is a copy, not a pointer into the old memory; changing it leaves the original alone.",
    ),
    "hobbyist": (
        "It is tempting to copy code that works; change one line here and predict what happens.",
        "Names such as these are worth the typing: they tell you tomorrow what you meant today.",
        "Search results show ten ways to do it; they differ in how they treat the empty case.",
    ),
    "interview": (
        "Say the cost aloud: one pass over the input, and how much memory besides.",
        "Ask about the empty input and about ties before you write a line; that is half of the interview.",
        "Give the simple solution first, test it on a small example, and improve it then.",
    ),
    "teacher": (
        "In class, let somebody play the loop variable and walk along the row of desks.",
        "Have the pupils predict the output before it is shown; their wrong guesses are the lesson.",
        "A measurement series is a good example: each reading is an item, the evaluation is the loop.",
    ),
    "biologist": (
        "A sequence of bases is a string, and field counts are a list; both are walked in the same way.",
        "Think of it as one rule applied to each specimen in turn.",
        "As with a protocol, each step has one input and one output that can be checked.",
    ),
    "designer": (
        "The rules of a game are conditions on a state, and a turn is one round of the loop.",
        "A board is a grid, a score a running total, and a move one small change.",
        "What happens with an empty hand is a rule as well; decide it before the players do.",
    ),
    "accountant": (
        "The ledger has entries, and the books must balance: what goes in comes out somewhere.",
        "Every month is one item, and the closing balance of one is the opening balance of the next.",
        "An audit asks for each figure where it comes from; so does a good assert.",
    ),
    "musician": (
        "A bar repeated with one note changed is a loop with a condition.",
        "Read the list as a score from left to right, one beat per item.",
        "The pattern comes round again after a fixed number of beats.",
    ),
    "Fortran": (
        "The DO loop is still there; it runs over the elements now rather than over subscripts from 1.",
        "Subscripts begin at 0 here, and the upper bound of a range is not included.",
        "Arrays grow as needed, so nothing has to be dimensioned beforehand.",
    ),
    "puzzles": (
        "Treat it as a puzzle: which single fact about each item is enough to decide?",
        "Cross out what cannot be the answer, one item at a time, and see what is left.",
        "The trick is to find out what one must remember, and to forget everything else.",
    ),
    "operations": (
        "The same loop reads a log: one line at a time, keep what matters, count it.",
        "Decide first what an empty file should give; that is the case that pages you at night.",
        "Short and obvious beats clever when somebody else has to fix it.",
    ),
    "linguist": (
        "A word form is a sequence of characters, and a rule about forms is a condition on them.",
        "Think of a corpus: tokens in a row, each looked at once, types counted.",
        "Affixes are slices, and a paradigm is a table.",
    ),
    "computer science": (
        "State the loop invariant, then the termination argument; both fit in one sentence here.",
        "Its time is linear in the input unless a search hides in the loop body.",
        "Expect to be asked for the edge cases and for the cost of each line.",
    ),
}
_ANY = (
    "Look at one item at a time and ask what has to be remembered.",
    "The code follows the sentence that states the task almost word by word.",
    "It helps to solve a small instance by hand before any code is written.",
    "Once the rule for one item is clear, the rest is repetition.",
)


def bridge(random: Random, audience: str) -> str:
    """A sentence for this reader; one for anybody where the audience is unknown."""
    for word, sentences in BRIDGES.items():
        if word in audience:
            return random.choice(sentences)
    return random.choice(_ANY)
