"""When a person's name is the name of a disease, sign, device or method: the nouns that make it one.

The names themselves are in `data/eponyms.txt`.
"""

from __future__ import annotations

import re

_NOUNS = (
    "disease|syndrome|sign|cysts?|fractures?|fx|catheter|cath|lymphoma|lesions?|scores?|classification|grade|grading|type|stage|criteria|nodes?|nodules?|tumou?rs?|triangle|ligament|procedure|operation|repair|test|lines?|angle|views?|method|methods|scale|malformations?|deformity|anomaly"
    "|palsy|fissure|ducts?|canal|pouch|ring|hernias?|space|body|bodies|contracture|dissection|aneurysm|arthropathy|index|ratio|effect|artifact|shunt|tube|drain|thyroiditis|ophthalmopathy|sarcoma|goit(?:er|re)|dementia|osteotomy|phenomenon|aphasia|area|bone|glands?|nerve|plexus|filter"
    "|transform|stent|valve|clips?|port|prosthesis|screws?|plate|nail|rods?|maneuver|manoeuvre|position|projection|loop|flap|graft|cannula|needle|balloon|retractor|forceps|staple|suture|clamp|reservoir|pump|pouch|capsule|membrane|muscle|tendon|artery|vein|sinus|valley|point|sphincter|tubercle"
    "|fascia|foramen|cells?|fibers?|granulomas?|granulomatosis|agenesis|ataxia|chorea|encephalopathy|neuropathy|neuroma|nephropathy|anemia|purpura|arteritis|vasculitis|colitis|enteritis|lobe|law|principle|kernel|rule|equation|coefficient|correction|distribution|model|algorithm|plot|hip|knee|elbow|shoulder|ankle"
    "|krankheit|syndrom|linie|zyste|fraktur|katheter|lymphom|winkel|modulus|units?|folds?|pits?|spots?|webs?|tubes?|bypass|stitch|incision|approach|technique|maladie|syndrome|enfermedad|sindrome|morbo|malattia|ziekte"
)
_OF = re.compile(
    rf"(?:['’]s|s['’])?(?:\s|-)(?:(?:i{{1,3}}|iv|v|[a-d]|\d[a-d]?)\s)?(?:{_NOUNS})\b|-?[^\W\d_]*(?:zeichen|syndrom|krankheit|katheter)\b"
)
_BEFORE = re.compile(
    r"(?:\bmorbus|\bmaladie\s+de|\benfermedad\s+de|\bmorbo\s+di|\bsyndrome\s+de|\bsindrome\s+de|\bziekte\s+van|\bpost-?)\s*$"
)


def is_of_something(low: str, start: int, end: int) -> bool:
    """Say whether the name at `low[start:end]` (folded text) names a thing: `Baker cyst`, `Foley catheter`, `Morbus Crohn`."""
    if low.startswith(("mary", "joseph"), start) and "sister mary joseph" in low:  # the nodule
        return True
    return _OF.match(low, end) is not None or _BEFORE.search(low, max(0, start - 16), start) is not None
