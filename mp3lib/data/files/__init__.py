"""The files in a folder or an archive, by name and with their bytes on demand.

``entries`` is such a file, ``walk`` finds those of a folder, ``tars`` and ``zips`` those of an archive.
``tensor_files`` hold the tensors of a set.
"""
