"""Makes golden.json: stems and ROUGE scores by Google's rouge_score and NLTK's Porter stemmer.

Words and texts are made up here: roots with the suffixes that the stemmer's rules know, and texts over
few words, so that n-grams repeat and subsequences are many.
    pip install -r ../requirements.txt && python make_rouge.py
"""
import json
import os
import random

from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer

SUFFIXES = """s es ies sses ss ed eed ied ing ingly ated bled ized hopping hopped falling hissing fizzed y ly
ational tional enci anci izer bli alli entli eli ousli ization ation ator alism iveness fulness ousness aliti
iviti biliti fulli logi ology ologies icate ative alize iciti ical ful ness al ance ence er ic able ible ant
ement ment ent sion tion ion ou ism ate iti ous ive ize e ee ll lle ally ability ibility fully logy""".split()
IRREGULAR = """sky skies dying lying tying news inning innings outing outings canning cannings howe proceed exceed
succeed dies died flies tried spied says enjoy happy spy fly y yy yyy yyyy sayings toyed gray bye dyed feed agreed
sing bled 2019s 3rd 90s s ss sss a is as ties cries eyes oed ing ed""".split()


def made_words(rng, count):
    words = list(IRREGULAR)
    while len(words) < count:
        root = "".join(rng.choice(["", "b", "c", "d", "st", "l", "m", "n", "p", "r", "t", "v", "w", "x", "y", "tr"])
                       + rng.choice("aeiouy") + rng.choice(["", "b", "ck", "d", "g", "l", "ll", "m", "n", "rt", "s", "t", "z", "y"])
                       for _ in range(rng.choice([1, 1, 2, 2, 3])))
        words.append(root + rng.choice(SUFFIXES) + rng.choice(["", "", "", "s", "ly"]))
    return words


def text(rng, vocabulary):
    glue = [" ", " ", " ", " ", ", ", "-", ".\n", "\n", "\n\n", "'s ", " \u00e9", "\u212a", " \u0130"]
    words = [rng.choice(vocabulary) for _ in range(rng.choice([0, 1, 2, 5, 9, 20, 40]))]
    return "".join((word.capitalize() if rng.random() < 0.2 else word) + rng.choice(glue) for word in words)


def main():
    rng = random.Random(1)
    stemmer = PorterStemmer()
    words = made_words(rng, 1000)
    cases = []
    for number in range(80):
        vocabulary = made_words(rng, 60)[-rng.choice([3, 6, 20, 60]):]
        stems = number % 2 == 1
        prediction, reference = text(rng, vocabulary), text(rng, vocabulary)
        scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=stems)
        scores = scorer.score(reference, prediction)
        cases.append({"prediction": prediction, "reference": reference, "stemmer": stems,
                      **{kind: [score.precision, score.recall, score.fmeasure] for kind, score in scores.items()}})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json")
    with open(path, "w") as file:
        file.write('{"stems":' + json.dumps([[word, stemmer.stem(word)] for word in words], separators=(",", ":")))
        file.write(',\n"cases":[\n' + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]}\n")


if __name__ == "__main__":
    main()
