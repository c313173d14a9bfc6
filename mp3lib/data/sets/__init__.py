"""What every reader shares: how images are wanted, and how pictures with labels become a set.

``wanted`` is what a reader is asked for, ``arrays`` what it returns. ``picture_reading`` decodes many pictures into the
``rows`` of one array, or leaves them on disk. ``columns`` says what a table holds, ``labelled_rows`` gives its rows a
split and a class, and ``map_style`` data sets are streamed.
"""
