"""Which split a question belongs to: by hash of its normalised text, so that no wording of it is in two splits."""

import hashlib
import re
import unicodedata

SHARES = (("train", 0.70), ("validation", 0.15), ("test", 0.15))


def normalise_question(text: str) -> str:
    """Case, accents' encoding, punctuation and spacing removed: what two writings of one question share."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[^\w]+", " ", folded).split())


def split_of(text: str) -> str:
    """``train`` (70 %), ``validation`` (15 %) or ``test`` (15 %): always the same for the same question."""
    digest = hashlib.sha256(normalise_question(text).encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    for name, share in SHARES:
        if place < share:
            return name
        place -= share
    return SHARES[-1][0]
