import numpy as np

from perfline.gadgets.stages.image_buffers import ImageBuffers


def test_what_is_given_back_is_lent_again():
    buffers = ImageBuffers()
    first, second = buffers.take((3, 4)), buffers.take((3, 4))
    assert first is not second
    buffers.give_back(first)
    assert buffers.take((4, 3)) is not first
    assert buffers.take((3, 4)) is first


def test_arrays_are_as_the_kernels_want_them():
    images = ImageBuffers().take((3, 5, 7))
    assert (images.shape, images.dtype, images.flags.c_contiguous) == ((3, 5, 7), np.complex64, True)
    assert images.ctypes.data % 64 == 0
