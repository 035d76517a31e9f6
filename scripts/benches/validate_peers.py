"""Started by validate.py with an interpreter that has them: detect-secrets and datasketch on the texts of a file."""

import json
import resource
import sys
import time

from datasketch import MinHash, MinHashLSH
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import default_settings

SHINGLE_WORDS = 5


def main(path: str) -> None:
    """Print [who, what, seconds of processor time] for each, as JSON."""
    with open(path, encoding="utf-8") as stream:
        texts = json.load(stream)
    rows = []
    started, before = time.process_time(), peak()
    with default_settings():
        for text, _ in texts:
            for line in text.splitlines():
                list(scan_line(line))
    rows.append(["detect-secrets", "secrets", time.process_time() - started, peak() - before])
    started, before = time.process_time(), peak()
    index = MinHashLSH(threshold=0.7, num_perm=64)
    for number, (_, question) in enumerate(texts):
        words = question.split()
        sketch = MinHash(num_perm=64)
        for start in range(max(len(words) - SHINGLE_WORDS, 0) + 1):
            sketch.update(" ".join(words[start : start + SHINGLE_WORDS]).encode())
        index.query(sketch)
        index.insert(number, sketch)
    rows.append(["datasketch", "near-duplicates of the question", time.process_time() - started, peak() - before])
    print(json.dumps(rows))


def peak() -> float:
    """The most memory this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1])
