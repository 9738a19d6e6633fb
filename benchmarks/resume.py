"""Measurements that survive an interruption: each is in a CSV file as soon as it is made."""

import csv
import io
import os


class Ledger:
    """A CSV file of measurements, found again by what was measured.

    The file is replaced whole after every measurement, so that it never holds half of one.

    Parameters
    ----------
    path : pathlib.Path
        Read if it is there.
    setting : sequence of str
        Columns that say what was measured.
    result : sequence of str
        Columns of numbers.

    Attributes
    ----------
    n_found : int
        Measurements asked for that were there already.

    Raises
    ------
    ValueError
        If the file is damaged, or not one of these.
    """

    def __init__(self, path, setting, result):
        self.path, self._setting, self._result = path, tuple(setting), tuple(result)
        self._done = self._read() if path.exists() else {}
        self.n_found = 0

    def measure(self, setting, function):
        """The measurement of a setting, from the file or else made and written now.

        Parameters
        ----------
        setting : dict of str to object
            A value for each of its columns.
        function : callable
            Takes no argument, returns a list of dicts of numbers: the lines of the measurement.

        Returns
        -------
        list of dict
            Its lines, setting included.
        """
        key = tuple(str(setting[name]) for name in self._setting)
        self.n_found += key in self._done
        if key not in self._done:
            lines = [tuple(float(line[name]) for name in self._result) for line in function()]
            self._done[key] = lines
            self._write()
        numbers = (dict(zip(self._result, line, strict=True)) for line in self._done[key])
        return [{**setting, **line} for line in numbers]

    def _read(self):
        text = self.path.read_text(encoding="utf-8")
        header, *lines = csv.reader(io.StringIO(text)) if text.strip() else [[]]
        columns = [*self._setting, *self._result, "lines"]
        if header != columns:
            self._refuse(1, f"columns {header}, not {columns}")
        if not text.endswith("\n"):
            self._refuse(len(lines) + 1, "no end of line")
        done, n_lines = {}, {}
        for i, line in enumerate(lines, start=2):
            key, numbers = self._parse(i, line)
            done.setdefault(key, []).append(numbers[:-1])
            n_lines[key] = numbers[-1]
        return {key: found for key, found in done.items() if len(found) == n_lines[key]}

    def _parse(self, i, line):
        n = len(self._setting)
        if len(line) != n + len(self._result) + 1:
            self._refuse(i, f"{len(line)} fields, not {n + len(self._result) + 1}")
        try:
            return tuple(line[:n]), tuple(float(field) for field in line[n:])
        except ValueError:
            self._refuse(i, f"{line[n:]}, which are not all numbers")

    def _refuse(self, i, found):
        raise ValueError(
            f"{self.path}, line {i}, has {found}: the file is damaged or not of this benchmark; "
            "delete the line, or move the file away to measure anew"
        )

    def _write(self):
        whole = io.StringIO()
        writer = csv.writer(whole, lineterminator="\n")
        writer.writerow([*self._setting, *self._result, "lines"])
        for key, lines in self._done.items():
            writer.writerows([*key, *map(repr, line), len(lines)] for line in lines)
        new = self.path.with_suffix(".part")
        with new.open("w", encoding="utf-8") as file:
            file.write(whole.getvalue())
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
