"""Train a network on scikit-learn's handwritten digits: 1797 real images of 8 x 8 pixels.

    python examples/digits.py [--epochs 30] [--out digits.png]

Shows progress while it trains, prints the accuracy on held-out images, and draws the loss and some held-out images
with the predicted digits. Needs scikit-learn (the images) and matplotlib (the picture): pip install -e '.[demo]'
"""
import argparse
import importlib.util
import sys
import time

import numpy as onp

import lazy
import lazy.numpy as np

LAYERS = (64, 256, 128, 10)
BATCH = 64
HELD_OUT = 360


def check_installed():
    """Leave with a message where a package is missing, before anything is trained."""
    for module, package, use in (('sklearn', 'scikit-learn', 'holds the images'),
                                 ('matplotlib', 'matplotlib', 'draws')):
        if importlib.util.find_spec(module) is None:
            sys.exit(f"{package} is missing, which {use}: pip install {package} (or pip install -e '.[demo]')")


def load():
    """(training images, labels, held-out images, labels); images are rows of 64 numbers in [0, 1]."""
    from sklearn.datasets import load_digits
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype('float32')
    order = onp.random.default_rng(0).permutation(len(images))
    train, held_out = order[HELD_OUT:], order[:HELD_OUT]
    return images[train], labels[train], images[held_out], labels[held_out]


def initial_parameters(key):
    """[(weights, biases)] of the layers."""
    keys = lazy.random.split(key, len(LAYERS) - 1)
    init = lazy.nn.initializers.he_normal()
    return [(init(k, (n, m)), np.zeros(m)) for k, n, m in zip(keys, LAYERS, LAYERS[1:])]


def network(parameters, images):
    """Scores of the ten digits for each image."""
    x = images
    for weights, biases in parameters[:-1]:
        x = lazy.nn.relu(x @ weights + biases)
    weights, biases = parameters[-1]
    return x @ weights + biases


def cross_entropy(parameters, images, labels):
    """Mean of minus the logarithm of the probability given to the right digit."""
    log_probabilities = lazy.nn.log_softmax(network(parameters, images))
    return -np.mean(np.sum(log_probabilities * lazy.nn.one_hot(labels, 10), axis=-1))


def batches(images, labels, seed):
    """The training set in random order, in batches of one size."""
    order = onp.random.default_rng(seed).permutation(len(images))
    for start in range(0, len(order) - BATCH + 1, BATCH):
        chosen = order[start:start + BATCH]
        yield np.asarray(images[chosen]), np.asarray(labels[chosen])


def train(images, labels, held_out_images, held_out_labels, epochs):
    """(parameters, loss of every step, held-out loss after every epoch)."""
    steps = epochs * (len(images) // BATCH)
    optimizer = lazy.optimizers.chain(
        lazy.optimizers.clip_by_global_norm(1.0),
        lazy.optimizers.adamw(lazy.optimizers.cosine_decay_schedule(2e-3, max(steps, 1)), weight_decay=1e-2))

    @lazy.jit
    def step(parameters, state, x, y):
        loss, gradients = lazy.value_and_grad(cross_entropy)(parameters, x, y)
        updates, state = optimizer.update(gradients, state, parameters)
        return lazy.optimizers.apply_updates(parameters, updates), state, loss

    evaluate = lazy.jit(cross_entropy)
    test_x, test_y = np.asarray(held_out_images), np.asarray(held_out_labels)
    parameters = initial_parameters(lazy.random.key(0))
    state = optimizer.init(parameters)
    losses, held_out_losses = [], []
    for epoch in range(epochs):
        started, count = time.perf_counter(), len(losses)
        for x, y in batches(images, labels, seed=epoch):
            parameters, state, loss = step(parameters, state, x, y)
            losses.append(loss)                                       # nothing is waited for here
        held_out_losses.append(float(evaluate(parameters, test_x, test_y)))
        mean = onp.mean([float(loss) for loss in losses[count:]])
        show_progress(epoch + 1, epochs, mean, held_out_losses[-1], time.perf_counter() - started)
    return parameters, [float(loss) for loss in losses], held_out_losses


def show_progress(epoch, epochs, loss, held_out_loss, seconds):
    filled = 24 * epoch // epochs
    line = (f'epoch {epoch:{len(str(epochs))}}/{epochs} [{"#" * filled}{"." * (24 - filled)}]  loss {loss:.4f}  '
            f'held-out loss {held_out_loss:.4f}  {1000 * seconds:5.0f} ms')
    last = epoch == epochs
    if sys.stdout.isatty():
        print('\r' + line, end='\n' if last else '', flush=True)
    elif last or epoch == 1 or epoch % max(1, epochs // 10) == 0:
        print(line, flush=True)


def draw(path, losses, held_out_losses, images, labels, predicted):
    """The loss curve, and held-out images with their predicted digits; wrong ones come first, in red."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    rows, columns = 4, 9
    wrong = onp.flatnonzero(predicted != labels)
    right = onp.flatnonzero(predicted == labels)
    shown = onp.concatenate([wrong[:rows * columns // 2], right])[:rows * columns]

    figure = plt.figure(figsize=(13, 4.8), layout='constrained')
    left, grid = figure.subfigures(1, 2, width_ratios=(1, 1.55))
    axes = left.subplots()
    per_epoch = len(losses) / max(1, len(held_out_losses))
    epochs = onp.arange(1, len(losses) + 1) / per_epoch
    window = max(1, round(per_epoch / 2))
    smooth = onp.convolve(losses, onp.ones(window) / window, 'valid')
    axes.semilogy(epochs, losses, color='#9ecae1', linewidth=0.7, label='training, each step')
    axes.semilogy(epochs[window - 1:], smooth, color='#08519c', linewidth=1.6,
                  label=f'training, mean of {window} steps')
    axes.semilogy(range(1, len(held_out_losses) + 1), held_out_losses, 'o-', color='#d95f02', markersize=3,
                  linewidth=1.2, label='held-out images')
    axes.set(xlabel='epoch', ylabel='cross-entropy', xlim=(0, len(held_out_losses)))
    axes.grid(alpha=0.3, which='major')
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    axes.set_title('Loss', fontsize=11)

    count = len(labels)
    grid.suptitle(f'{count - len(wrong)} of {count} held-out digits right ({1 - len(wrong) / count:.1%}); '
                  f'wrong ones in red with the true digit', fontsize=11)
    for place, cell in zip(range(rows * columns), grid.subplots(rows, columns).flat):
        cell.set_axis_off()
        if place >= len(shown):
            continue
        i = shown[place]
        cell.imshow(images[i].reshape(8, 8), cmap='gray_r', interpolation='nearest')
        if predicted[i] == labels[i]:
            cell.set_title(str(predicted[i]), fontsize=11, pad=3)
        else:
            cell.set_title(f'{predicted[i]}  (is {labels[i]})', fontsize=10, pad=3, color='#c00000', weight='bold')
            cell.add_patch(plt.Rectangle((-0.5, -0.5), 8, 8, fill=False, edgecolor='#c00000', linewidth=2.5))
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--epochs', type=int, default=30, help='passes over the training images (30)')
    parser.add_argument('--out', default='digits.png', help='where the picture goes (digits.png)')
    options = parser.parse_args(arguments)
    if options.epochs < 1:
        parser.error('--epochs must be at least 1')

    check_installed()
    images, labels, held_out_images, held_out_labels = load()
    print(f'{len(images)} images to train on, {len(held_out_images)} held out, '
          f'network {" - ".join(map(str, LAYERS))}, on {lazy.devices()[0]}', flush=True)
    started = time.perf_counter()
    parameters, losses, held_out_losses = train(images, labels, held_out_images, held_out_labels, options.epochs)
    predicted = onp.asarray(network(parameters, np.asarray(held_out_images)).argmax(-1))
    accuracy = float((predicted == held_out_labels).mean())
    print(f'accuracy on {len(held_out_labels)} held-out images: {accuracy:.2%}')
    print(f'{len(losses)} steps in {time.perf_counter() - started:.1f} s, '
          f'{lazy.debug.kernel_compilations()} kernels compiled in this process')
    draw(options.out, losses, held_out_losses, held_out_images, held_out_labels, predicted)
    print(f'wrote {options.out}')
    return accuracy


if __name__ == '__main__':
    main()
