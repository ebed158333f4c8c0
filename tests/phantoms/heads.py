"""Heads made by code: nose, eyes, ears, lips, chin, skull, brain, airway and neck, as CT or MR, in any pose, age and field of view.

Nobody's head: the inside follows the project's average head, the skin is ellipsoids and bumps about the landmarks that
`tasks/deface/template.py` states. `person` varies the face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.deface.template import load_template

HU = {"air": -1000, "skin": 40, "fat": -70, "bone": 800, "brain": 36, "white": 28, "fluid": 8, "globe": 20}
T1 = {"air": 4, "skin": 330, "fat": 620, "bone": 45, "brain": 300, "white": 430, "fluid": 110, "globe": 130}
T2 = {"air": 4, "skin": 260, "fat": 420, "bone": 40, "brain": 330, "white": 240, "fluid": 800, "globe": 820}


@dataclass(frozen=True)
class Person:
    """What makes one face differ from another, in millimetres or as factors."""

    nose: float = 24.0
    nose_width: float = 13.0
    brow: float = 4.0
    eyes: float = 12.0
    lips: float = 6.0
    chin: float = 8.0
    cheeks: float = 0.0


@dataclass(frozen=True)
class Skull:
    """How one brain, and the skull about it, differs from the average: factors of its axes, and millimetres of its parts."""

    wide: float = 1.0
    long: float = 1.0
    high: float = 1.0
    frontal: float = 0.0  # the frontal lobes reach further forward
    orbital: float = 0.0  # and further down over the orbits
    temporal: float = 0.0  # the poles of the temporal lobes reach further forward

    def to_average(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return where in the average head lies what this one has at the given points (head frame)."""
        x, y, z = x / self.wide, (y - 10) / self.long + 10, (z - 10) / self.high + 10
        y = y + self.frontal * np.exp(-_bump(x, y, z, (0, -80, 6), (44, 40, 34)))
        y = y + self.temporal * sum(np.exp(-_bump(x, y, z, (side * 42, -36, -32), (24, 30, 18))) for side in (-1, 1))
        z = z + self.orbital * sum(np.exp(-_bump(x, y, z, (side * 26, -60, -16), (30, 30, 16))) for side in (-1, 1))
        return x, y, z


AVERAGE_SKULL = Skull()


def person(seed: int) -> Person:
    """A person by number; 0 is the average."""
    if not seed:
        return Person()
    vary = np.random.default_rng(seed).normal(0, 1, 7)
    return Person(24 + 3 * vary[0], 13 + 1.5 * vary[1], 4 + 1.5 * vary[2], 12 + 2 * vary[3], 6 + vary[4], 8 + 2 * vary[5], 2 * vary[6])


def turned(axis: str, degrees: float) -> np.ndarray:
    """A rotation (4x4) about a patient axis: x = pitch, y = roll, z = yaw (180: prone, 90: decubitus by a wrong header)."""
    first, second = {"x": (1, 2), "y": (0, 2), "z": (0, 1)}[axis]
    matrix, angle = np.eye(4), np.radians(degrees)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


@dataclass(frozen=True)
class Scan:
    """Where an axial scan lies in the patient's axes (millimetres), and how the head lies in it."""

    spacing: tuple[float, float, float] = (3.0, 2.0, 2.0)
    pose: np.ndarray | None = None
    scale: float = 1.0
    z_range: tuple[float, float] = (-140.0, 100.0)
    y_range: tuple[float, float] = (-140.0, 125.0)
    half_width: float = 105.0

    def points(self) -> tuple[np.ndarray, tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        """Return the affine, and x, y, z of every voxel in the patient's axes and in the head frame."""
        spans = (self.z_range, self.y_range, (-self.half_width, self.half_width))
        axes = [np.arange(low, high, step) for (low, high), step in zip(spans, self.spacing, strict=True)]
        z, y, x = np.meshgrid(*axes, indexing="ij")
        to_patient = np.diag([*self.spacing[::-1], 1.0])
        to_patient[:3, 3] = [axes[2][0], axes[1][0], axes[0][0]]
        pose = np.eye(4) if self.pose is None else self.pose
        back = np.linalg.inv(pose @ np.diag([self.scale, self.scale, self.scale, 1.0]))
        points = np.stack([x.ravel(), y.ravel(), z.ravel(), np.ones(x.size)])
        return to_patient, (x, y, z), tuple((back @ points)[n].reshape(x.shape) for n in range(3))


def brain(skull: Skull = AVERAGE_SKULL, **scan: object) -> np.ndarray:
    """Return where the brain of `head` lies, [slice, row, column], for the same skull and scan."""
    _, _, points = Scan(**scan).points()  # type: ignore[arg-type]
    return _on_template("brain", *skull.to_average(*points)) < -1


def head(
    modality: str = "CT",
    spacing: tuple[float, float, float] = (3.0, 2.0, 2.0),
    who: Person | None = None,
    couch: bool = False,
    mask_mesh: bool = False,
    craniotomy: bool = False,
    noise: float = 1.0,
    seed: int = 7,
    skull: Skull = AVERAGE_SKULL,
    t2: bool = False,
    **scan: object,
) -> tuple[np.ndarray, np.ndarray]:
    """Return [slice, row, column] values of an axial scan (see `Scan`) and its affine."""
    to_patient, (x, y, _), (px, py, pz) = Scan(spacing, **scan).points()  # type: ignore[arg-type]
    who = who or person(0)
    tissue = _tissues(px, py, pz, who, craniotomy, skull)
    if mask_mesh:
        near = _outside(px, py, pz, who)
        tissue[(near > 2) & (near < 5) & (py < 20) & (tissue == "air")] = "fat"
    if couch:
        tissue[(y > 112) & (y < 118) & (tissue == "air")] = "fat"
    table = HU if modality == "CT" else T2 if t2 else T1
    values = np.zeros(x.shape)
    for name, value in table.items():
        values[tissue == name] = value
    if modality != "CT" and not t2:  # brain, muscle and fat as an average T1 has them; the face stays made up
        average = _average(*skull.to_average(px, py, pz))
        inner = (tissue != "air") & (_outside(px, py, pz, who) < -5) & (average > 0) & (tissue != "globe")
        values[inner] = average[inner] * 1.8
    random = np.random.default_rng(seed).normal(0, 1, x.shape)
    return (values + 10 * noise * random if modality == "CT" else np.abs(values + 7 * noise * random)), to_patient


def _bump(x: np.ndarray, y: np.ndarray, z: np.ndarray, centre: tuple[float, float, float], size: tuple[float, float, float]) -> np.ndarray:
    return sum(((a - c) / s) ** 2 for a, c, s in zip((x, y, z), centre, size, strict=True))  # type: ignore[return-value]


def _outside(x: np.ndarray, y: np.ndarray, z: np.ndarray, who: Person) -> np.ndarray:
    """Roughly the distance (mm) to the skin, negative inside."""
    cranium = (np.sqrt(_bump(x, y, z, (0, -3, -4), (79, 102, 88))) - 1) * 86
    below = np.clip(-z - 108, 0, None)
    front = -90.0 + 0.0018 * (z + 50) ** 2 + 1.2 * below
    width = 69 + who.cheeks - 0.22 * np.clip(-z - 70, 0, None)
    jaw = (np.sqrt((x / width) ** 2 + ((y + 6) / np.where(y < -6, -front - 6, 80.0)) ** 2) - 1) * 70
    jaw = np.maximum(jaw, np.maximum(z - 10, -118 - z))
    neck = np.maximum((np.sqrt((x / 62) ** 2 + ((y - 14) / 62) ** 2) - 1) * 60, z + 60)
    skin = np.minimum(np.minimum(cranium, jaw), neck)
    ridge = np.clip((z + 72) / 48, 0, 1)  # 0 at the tip, 1 at the root
    nose = np.maximum(np.abs(x) - who.nose_width * (1.0 - 0.6 * ridge), 0) * 1.6 + (-92 - who.nose * (1 - ridge) ** 0.8 - y)
    nose = np.maximum(nose, np.maximum(z + 24, -76 - z))
    skin = np.minimum(skin, np.where(y > -75, np.maximum(nose, skin), nose))
    bumps = [
        ((0, -86, -92), (24, 10 + who.lips, 9)),
        ((0, -82, -108), (20, 12 + who.chin, 12)),
        ((30, -88, -14), (26, 6 + who.brow, 8)),
        ((-30, -88, -14), (26, 6 + who.brow, 8)),
        ((78, 14, -44), (12, 17, 30)),
        ((-78, 14, -44), (12, 17, 30)),
    ]
    for centre, size in bumps:
        skin = np.minimum(skin, (np.sqrt(_bump(x, y, z, centre, size)) - 1) * min(size))
    for side in (-1, 1):
        socket = (np.sqrt(_bump(x, y, z, (side * 31, -98, -34), (20, 6 + who.eyes, 12))) - 1) * 12
        skin = np.maximum(skin, -socket)
        skin = np.minimum(skin, np.hypot(np.hypot(x - side * 31, y + 74), z + 33) - 13)
    return skin


def _on_template(name: str, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    template = load_template()
    values = template.head.values if name == "head" else ndimage.distance_transform_edt(~template.brain).astype(np.float32) * 3
    if name == "brain":
        values = values - ndimage.distance_transform_edt(template.brain).astype(np.float32) * 3
    step, origin = template.head.spacing_mm[0], template.head.to_patient[:3, 3]
    index = [(axis - o) / step for axis, o in zip((z, y, x), origin[::-1], strict=True)]
    return ndimage.map_coordinates(values, index, order=1, mode="nearest" if name == "brain" else "constant", cval=0.0)


def _average(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return _on_template("head", x, y, z)


def _tissues(x: np.ndarray, y: np.ndarray, z: np.ndarray, who: Person, craniotomy: bool, skull: Skull) -> np.ndarray:
    """Skin by formula; skull as a shell about the average brain, face bones and airway about the landmarks."""
    skin, brain = _outside(x, y, z, who), _on_template("brain", *skull.to_average(x, y, z))
    tissue = np.full(x.shape, "air", dtype="<U5")
    tissue[skin < 0] = "fat"
    tissue[skin < -4] = "skin"
    orbit = _bump(np.abs(x), y, z, (30, -66, -33), (19, 24, 17)) < 1
    tissue[orbit & (skin < -4)] = "fat"
    tissue[(brain < 10) & (skin < -3) & ~orbit] = "bone"
    tissue[brain < 2] = "fluid"
    tissue[brain < -1] = "brain"
    tissue[brain < -9] = "white"
    jaw = (np.abs(z + 98) < 12) & (np.abs(np.hypot(x / 46, (y + 10) / 66) - 1) < 0.09) & (y < 0) & (skin < -4)
    cheek = (_bump(np.abs(x), y, z, (44, -62, -50), (14, 10, 14)) < 1) & (skin < -5)
    spine = (np.hypot(x, y - 32) < 20) & (z < -84)
    walls = (_bump(np.abs(x), y, z, (26, -64, -62), (14, 17, 16)) < 1) & (skin < -5)
    tissue[(jaw | cheek | spine | walls) & (brain > 2)] = "bone"
    airway = (np.abs(x) < 9) & (np.abs(y + 66) < 26) & (np.abs(z + 56) < 20)
    sinus = _bump(np.abs(x), y, z, (26, -64, -62), (11, 14, 13)) < 1
    throat = (np.abs(x) < 10) & (np.abs(y + 12) < 8) & (z < -60) & (z > -140)
    tissue[(airway | sinus | throat) & (brain > 4)] = "air"
    for side in (-1, 1):
        tissue[np.hypot(np.hypot(x - side * 31, y + 74), z + 33) < 12] = "globe"
    if craniotomy:
        tissue[(_bump(x, y, z, (60, -30, 50), (30, 30, 30)) < 1) & (tissue == "bone")] = "skin"
    return tissue
