"""Tables as spreadsheets and banks export them: CSV, plain or gzipped, separated by commas, semicolons or tabs."""

import csv
import io
import zlib
from collections.abc import Generator

from adapters.json_lines import InputError, opened, why

Rows = Generator[tuple[int, list[str]], None, None]


def table_rows(file: str) -> Rows:
    """``(line, cells)``: the header first, then every row that is not empty; a row's line is that of its end.

    Raises `InputError` for a file that cannot be read any further: in UTF-8 it must be, and CSV.
    """
    line = 0
    with opened(file) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        try:
            header = text.readline()
            line = 1
            delimiter = max(",;\t", key=header.count)
            yield line, next(csv.reader([header], delimiter=delimiter), [])
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            for cells in reader:
                line = reader.line_num + 1  # of the row's last line: a quoted cell may run over several
                if any(cells):
                    yield line, cells
        except UnicodeDecodeError:
            raise InputError(file, line + 1, "not UTF-8: save the table as CSV in UTF-8") from None
        except csv.Error as error:
            raise InputError(file, line + 1, f"not CSV: {error}") from None
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(file, line + 1, why(error)) from None
        finally:
            text.detach()  # or the standard input would be closed with it
