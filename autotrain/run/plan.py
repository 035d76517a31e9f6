"""What a run is going to do, in words, from its settings alone."""

from autotrain.config import BUILTIN_TEACHER, Settings


def plan_text(settings: Settings) -> str:
    """The plan that --dry-run prints: data, training and evaluation of a round, and what bounds them."""
    held_out = round(settings.val_ratio * settings.samples_per_round)
    new = settings.samples_per_round - held_out
    replayed = round(settings.replay_ratio * new) if settings.rounds > 1 else 0
    a_step = settings.batch_size * settings.grad_accum
    by_epochs = -(-settings.max_epochs * (new + replayed) // a_step)
    steps = int(min(settings.train_steps, max(1, by_epochs)))
    bound = "TRAIN_STEPS" if settings.train_steps <= by_epochs else f"MAX_EPOCHS = {settings.max_epochs:g}"
    teacher = settings.teacher_model
    if teacher != BUILTIN_TEACHER:
        requests = -(-settings.samples_per_round // settings.samples_per_request)
        teacher += f" at {settings.teacher_base_url or 'the OpenAI API'}, about {requests} requests a round"
    bounds = [f"${settings.max_cost_usd:g}"] if settings.max_cost_usd is not None else []
    bounds += [f"{settings.max_tokens:,} tokens"] if settings.max_tokens is not None else []
    if bounds and settings.teacher_model != BUILTIN_TEACHER:
        teacher += f", at most {' and '.join(bounds)} in all"
    gate = "run answers and tests" if settings.run_unit_tests else "syntax only (RUN_UNIT_TESTS=0)"
    training = (
        f"at most {steps} steps of {settings.batch_size} × {settings.grad_accum} samples a round, "
        f"bounded by {bound} ({steps * a_step / max(1, new + replayed):.1f} epochs of {new} new "
        f"and up to {replayed} replayed samples)"
    )
    adapter = (
        f"rank {settings.lora_r}, learning rate {settings.lr:g}, base in {settings.quantization_bits} bits, "
        f"samples of up to {settings.seq_len} tokens"
    )
    rows = {
        "rounds": str(settings.rounds),
        "teacher": teacher,
        "samples a round": f"{settings.samples_per_round}: at most {new} to train on, {held_out} held out",
        "gate": gate,
        "base model": settings.base_model,
        "training": training,
        "adapter": adapter,
        "output": str(settings.out_dir),
    }
    width = max(len(name) for name in rows)
    return "\n".join(["plan", *(f"  {name:<{width}}  {text}" for name, text in rows.items())])
