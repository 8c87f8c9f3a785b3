"""Where the limits of this process's control groups are written (Linux, versions 1 and 2)."""
import os

__all__ = ['directories', 'words']


def directories(controller, root='/'):
    """(version, directory) of the groups that bind this process for 'cpu' or 'memory', inner ones
    first.

    Inside a container the path of the group may be the host's, while the container's own directory
    is mounted at the top: every directory on the way up is listed, whether it exists or not.
    """
    found = []
    for controllers, path in _memberships(root):
        if controllers == '':
            mounts = [(2, 'sys/fs/cgroup'), (2, 'sys/fs/cgroup/unified')]
        elif controller in controllers.split(','):
            names = dict.fromkeys((controller, controllers))
            mounts = [(1, 'sys/fs/cgroup/' + name) for name in names]
        else:
            continue
        parts = [part for part in path.split('/') if part not in ('', '..')]
        found += [(version, os.path.join(root, mount, *parts[:depth]))
                  for version, mount in mounts for depth in range(len(parts), -1, -1)]
    return found


def _memberships(root):
    """(controllers, path) for each hierarchy; version 2 has '' for controllers."""
    lines = words(os.path.join(root, 'proc/self/cgroup'), separator='\n')
    return [tuple(line.split(':', 2)[1:]) for line in lines if line.count(':') >= 2]


def words(path, separator=None):
    """The words (or lines) of a file, none where it can't be read."""
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read().split(separator)
    except OSError:
        return []
