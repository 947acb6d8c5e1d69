"""The training step of bench:train in PyTorch: mixed9, mixed10 and head of InceptionV3, batch 32, random weights.

Says "ready", then runs one step for every line on stdin and answers with the loss.
"""

import sys

import torch
import torch.nn.functional as F

torch.set_num_threads(int(sys.argv[1]))
classes, images = int(sys.argv[2]), int(sys.argv[3])


class Unit(torch.nn.Sequential):
    """Convolution, batch normalisation in inference mode without scale, ReLU."""

    def __init__(self, channels, filters, *kernel):
        norm = torch.nn.BatchNorm2d(filters, eps=1e-3)
        norm.weight.requires_grad_(False)
        conv = torch.nn.Conv2d(channels, filters, kernel, padding="same", bias=False)
        super().__init__(conv, norm, torch.nn.ReLU())


class Block(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.a = Unit(channels, 320, 1, 1)
        self.b = Unit(channels, 384, 1, 1)
        self.b_wide, self.b_tall = Unit(384, 384, 1, 3), Unit(384, 384, 3, 1)
        self.c = torch.nn.Sequential(Unit(channels, 448, 1, 1), Unit(448, 384, 3, 3))
        self.c_wide, self.c_tall = Unit(384, 384, 1, 3), Unit(384, 384, 3, 1)
        self.d = Unit(channels, 192, 1, 1)

    def forward(self, x):
        b, c = self.b(x), self.c(x)
        d = self.d(F.avg_pool2d(x, 3, 1, 1, count_include_pad=False))
        return torch.cat([self.a(x), self.b_wide(b), self.b_tall(b), self.c_wide(c), self.c_tall(c), d], 1)


model = torch.nn.Sequential(
    Block(1280),
    Block(2048),
    torch.nn.AdaptiveAvgPool2d(1),
    torch.nn.Flatten(),
    torch.nn.Linear(2048, 1024),
    torch.nn.ReLU(),
    torch.nn.Linear(1024, classes),
).eval()
trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
optimiser = torch.optim.SGD(trained, lr=1e-4, momentum=0.9)
inputs = torch.rand(images, 1280, 8, 8)
labels = torch.arange(images) % classes

print("ready", torch.__version__, flush=True)
for _ in sys.stdin:
    optimiser.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 5.0)
    optimiser.step()
    print(loss.item(), flush=True)
