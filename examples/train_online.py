"""Train a small network on worlds that are made while it trains: `python examples/train_online.py [--steps 200]`.

It learns to say which class every pixel of the tabletop scene shows. Nothing is written to a disk; images go from the
renderer to PyTorch without a copy. Needs PyTorch: pip install torch.
"""

from __future__ import annotations

import argparse
import time

import engine


def main() -> None:
    """Train, and print loss, accuracy and speed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":", maxsplit=1)[0])
    parser.add_argument("--scene", default="tabletop")
    parser.add_argument("--steps", type=int, default=200, help="batches to train on")
    parser.add_argument("--batch", type=int, default=16, help="worlds of a batch")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N; both render and train there")
    arguments = parser.parse_args()
    try:
        import torch
    except ModuleNotFoundError:
        raise SystemExit("this example trains with PyTorch, which is not installed: pip install torch") from None

    recipe, job = engine.compose(
        f"+scene={arguments.scene}", "rig.width=96", "rig.height=64", "rig.spp=1", f"device={arguments.device}"
    )
    worlds = range(arguments.steps * arguments.batch)
    with engine.stream(recipe, job, batch=arguments.batch, worlds=worlds, labels=False) as batches:
        begun, model, optimizer, class_of = time.perf_counter(), None, None, None
        for step, batch in enumerate(batches):
            rgb = torch.from_dlpack(batch.frames.rgb)  # [view, y, x, 3], uint8
            instance = torch.from_dlpack(batch.frames.instance)  # [view, y, x]
            if model is None:
                class_of = torch.tensor(batches.class_id, device=rgb.device).long()
                model = network(torch, int(class_of.max()) + 1).to(rgb.device)
                optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
            target = class_of[instance.long()]
            scores = model(rgb.permute(0, 3, 1, 2).float() / 255.0)
            loss = torch.nn.functional.cross_entropy(scores, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 20 == 0 or step == arguments.steps - 1:
                right = (scores.argmax(1) == target).float().mean()
                speed = (step + 1) * len(rgb) / (time.perf_counter() - begun)
                print(f"step {step:4d}  loss {loss:.3f}  pixels right {right:.1%}  {speed:.0f} images/s", flush=True)


def network(torch, classes: int):  # type: ignore[no-untyped-def]
    """Return a network of three convolutions at half the resolution."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, stride=2, padding=2), nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=2, dilation=2), nn.ReLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(64, classes, 3, padding=1),
    )  # fmt: skip


if __name__ == "__main__":
    main()
