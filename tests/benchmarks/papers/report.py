"""stub"""


def show(name, out):
    return name
