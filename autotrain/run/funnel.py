"""The way of the samples: what is counted of them from stage to stage, and how it is called."""

# In order: counter and words.
FUNNEL = (
    ("teacher_generated", "generated"),
    ("teacher_failed", "replies or samples that could not be used"),
    ("rejected_schema", "dropped: malformed"),
    ("rejected_length", "dropped: too long"),
    ("rejected_secret", "dropped: holds a secret"),
    ("rejected_pii", "dropped: holds somebody's data"),
    ("rejected_duplicate", "dropped: duplicate"),
    ("rejected_contaminated", "dropped: contaminated"),
    ("validated_ok", "valid"),
    ("test_fail", "dropped: claim disproved by running it"),
    ("rejected_flaky", "dropped: its tests pass only now and then"),
    ("rejected_vacuous_tests", "dropped: its tests pass on code that does nothing"),
    ("rejected_weak_tests", "dropped: its tests find too few small bugs"),
    ("test_skipped", "kept without execution (nothing to run, or not run)"),
    ("test_pass", "kept, claim proved by running it"),
    ("own_kept", "the student's own answers, right and kept"),
)
# What did not get through, and why.
DROPPED = tuple((name, words.removeprefix("dropped: ")) for name, words in FUNNEL if words.startswith("dropped: "))
