"""The reading of XLSX workbooks, in a child process with limits.

A workbook of a few kilobytes can decompress to gigabytes, and can make a parser work for hours. So the server does not
read it itself. `process.py` runs in the server: it starts the child process and receives the rows. `__main__.py` is the
child: it sets its limits and sends the rows. `archive.py`, `parts.py` and `sheet.py` read the parts of a workbook.
They need only the standard library, so that the child starts in a few hundredths of a second.
"""
