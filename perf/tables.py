"""A table: columns, rows of raw values, notes; printed while it grows, written as Markdown and JSON at the end."""
import dataclasses
import datetime
import json
import os

from . import machine


@dataclasses.dataclass
class Column:
    """key: of a row's dict. show: the value (and the row) as text; '-' stands for what isn't there."""
    key: str
    label: str
    show: object = None

    def text(self, row):
        """The cell of this column in a row."""
        value = row.get(self.key)
        if value is None:
            return '-'
        return self.show(value, row) if self.show else str(value)


@dataclasses.dataclass
class Table:
    """name: of the files. title, explanation: sentences over the table. notes: lines below it."""
    name: str
    title: str
    explanation: str
    columns: list
    rows: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)
    settings: dict = dataclasses.field(default_factory=dict)

    def add(self, row):
        """Append a row and print it."""
        if not self.rows:
            print(f'\n{self.title}\n{self._line([c.label for c in self.columns])}', flush=True)
        self.rows.append(row)
        print(self._line([c.text(row) for c in self.columns]), flush=True)

    def note(self, text):
        """Append a line for below the table and print it."""
        self.notes.append(text)
        print(f'  {text}', flush=True)

    def _line(self, cells):
        return '  '.join([f'{cells[0]:24}', *[f'{cell:>17}' for cell in cells[1:]]])

    def markdown(self):
        """The table as Markdown."""
        lines = [f'# {self.title}', '', self.explanation, '', machine.in_words(machine.describe()).replace('\n', '\n\n'),
                 '', f'Measured on {today()}{self._settings()}.', '']
        if self.rows:
            lines += markdown_rows([c.label for c in self.columns], [[c.text(r) for c in self.columns] for r in self.rows])
        lines += ['', *[f'- {note}' for note in self.notes]] if self.notes else []
        return '\n'.join(lines) + '\n'

    def _settings(self):
        return ''.join(f', {name} {value}' for name, value in self.settings.items())

    def write(self, directory):
        """Write NAME.md and NAME.json into a directory, which is made where it is missing."""
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, f'{self.name}.md'), 'w') as file:
            file.write(self.markdown())
        data = {'table': self.name, 'title': self.title, 'date': today(), 'settings': self.settings,
                'machine': machine.describe(), 'rows': self.rows, 'notes': self.notes}
        with open(os.path.join(directory, f'{self.name}.json'), 'w') as file:
            json.dump(data, file, indent=1)
            file.write('\n')


def markdown_rows(labels, rows):
    """Lines of a Markdown table: the first column to the left, the others to the right."""
    lines = [labels, [':--', *['--:'] * (len(labels) - 1)], *rows]
    return [f'| {" | ".join(cell.replace("|", "/") for cell in line)} |' for line in lines]


def today():
    """The date in ISO form."""
    return datetime.date.today().isoformat()


def number(value, _row=None):
    """About three significant digits, without an exponent where it can be."""
    if 1 <= value < 1e7:
        return f'{value:.{max(0, 3 - len(str(int(value))))}f}'
    return f'{value:.3f}' if 0.001 <= value < 1 else f'{value:.3g}'


def beside_lazy(key):
    """Shows a peer's value with its ratio to lazy's."""
    def show(value, row):
        ratio = f' ({value / row["lazy"]:.1f}x)' if row.get('lazy') and key != 'lazy' else ''
        return number(value) + ratio
    return show


def library_columns(libraries, labels):
    """A column for each library, peers with ratios to lazy."""
    return [Column(key, labels[key], beside_lazy(key)) for key in libraries]
