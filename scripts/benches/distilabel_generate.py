"""The peer of stage 01: the same prompts through distilabel. Runs in an environment of its own, not in the project's.

    python distilabel_generate.py BASE_URL PROMPTS.json CONCURRENCY FOLDER

PROMPTS.json is a list of {"system_prompt", "instruction"}. Prints the number of answers as its last line.
"""

import json
import sys
from pathlib import Path


def main(base_url: str, prompts: Path, concurrency: int, folder: str) -> None:
    """Ask for every prompt once. A batch is what distilabel keeps under way at once, so it is the concurrency."""
    from distilabel.models import OpenAILLM  # type: ignore[import-not-found]
    from distilabel.pipeline import Pipeline  # type: ignore[import-not-found]
    from distilabel.steps import LoadDataFromDicts  # type: ignore[import-not-found]
    from distilabel.steps.tasks import TextGeneration  # type: ignore[import-not-found]

    rows = json.loads(prompts.read_text(encoding="utf-8"))
    with Pipeline(name="bench", cache_dir=folder) as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=len(rows))
        llm = OpenAILLM(model="bench", base_url=base_url, api_key="none", generation_kwargs={"max_new_tokens": 4096})
        generate = TextGeneration(llm=llm, num_generations=1, input_batch_size=concurrency)
        load >> generate
    answers = pipeline.run(use_cache=False)["default"]["train"]["generation"]
    print(sum(answer is not None for answer in answers))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
