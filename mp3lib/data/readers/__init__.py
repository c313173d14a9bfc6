"""From the forms in which sets of images are stored to arrays, one file a form.

``formats`` chooses by what is there: ``picture_files`` in folders, ``cifar`` (``cifar_pickle`` reads its pickles), the
``idx`` files of MNIST, ``parquet``, or ``webdataset``. ``unread`` has words for what this library does not read.
"""
