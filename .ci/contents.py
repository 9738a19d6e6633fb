"""What the wheel and the sdist hold: `python .ci/contents.py DIST CHECKOUT`."""

import sys
import tarfile
import zipfile
from pathlib import Path

dist, checkout = map(Path, sys.argv[1:])
(wheel,) = dist.glob("*.whl")
(sdist,) = dist.glob("*.tar.gz")

inside = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
package = {name for name in inside if ".dist-info/" not in name}
wanted = {
    path.relative_to(checkout).as_posix()
    for path in (checkout / "anmf").rglob("*")
    if path.suffix in {".py", ".npz"} or path.name == "py.typed"
}
assert "anmf/py.typed" in wanted and any(name.endswith(".npz") for name in wanted)
assert package == wanted, f"the wheel lacks {wanted - package}, and has {package - wanted}"
licences = [name for name in inside - package if name.endswith("/LICENSE")]
assert licences, "the wheel has no LICENSE"

with tarfile.open(sdist) as archive:
    inside = {name.partition("/")[2] for name in archive.getnames()}
wanted |= {"LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md"}
wanted |= {"setup.cfg", "pyproject.toml", "constraints-lowest.txt"}
for folder in ("tests", "examples", "benchmarks", "docs"):
    wanted |= {path.relative_to(checkout).as_posix() for path in checkout.glob(f"{folder}/**/*.py")}
wanted -= {name for name in wanted if name.startswith(("docs/reference/api/", "docs/gallery/"))}
assert wanted <= inside, f"the sdist lacks {wanted - inside}"
litter = {n for n in inside if "__pycache__" in n or n.startswith((".", "build/", "docs/_build"))}
assert not litter, f"the sdist has {litter}"
print(f"{wheel.name}: {len(package)} files; {sdist.name}: {len(inside)} entries")
