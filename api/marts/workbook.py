"""Rows as a workbook (.xlsx, ECMA-376): PostgreSQL writes the cells, and a zip file carries them.

No library for workbooks sends one as it comes: they collect the rows in a file first.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from xml.sax.saxutils import escape

from psycopg2.extensions import Column

from elute.archive import Archive, Blocks

MOST_ROWS = 1_048_575  # below the header
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_PARTS = {
    "[Content_Types].xml": f"""<Types xmlns="{_PACKAGE}/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/xl/workbook.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>
<Override PartName="/xl/styles.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>
<Override PartName="/xl/worksheets/sheet1.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>
</Types>""",
    "_rels/.rels": f"""<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>
</Relationships>""",
    "xl/workbook.xml": f"""<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">
<sheets><sheet name="rows" sheetId="1" r:id="rId1"/></sheets></workbook>""",
    "xl/_rels/workbook.xml.rels": f"""<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>
<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/>
</Relationships>""",
    # The second format, which cells name as s="1", is that of dates.
    "xl/styles.xml": f"""<styleSheet xmlns="{_MAIN}">
<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/></numFmts>
<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>
<fills count="2"><fill><patternFill patternType="none"/></fill>
<fill><patternFill patternType="gray125"/></fill></fills>
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>
<cellStyleXfs count="1"><xf/></cellStyleXfs>
<cellXfs count="2"><xf xfId="0"/><xf numFmtId="164" xfId="0" applyNumberFormat="1"/></cellXfs>
<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>
</styleSheet>""",
}
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
# XML has no such characters.
_CONTROLS = "".join(rf"\x{n:02x}" for n in range(1, 32) if n not in (9, 10, 13)) + r"\uFFFE\uFFFF"
# A cell has 32,767 units of UTF-16, of which some characters take two.
_FITTING = r"""
case
    when length({text}) <= 16383 then {text}
    when {text} ~ '[\U00010000-\U0010FFFF]' then left({text}, 16382) || '…'
    when length({text}) <= 32767 then {text}
    else left({text}, 32766) || '…'
end
"""
# What is escaped: XML's own, line ends for COPY, and what Excel reads as a character: _x0041_. Most
# texts have nothing of it, which one look finds; a million rows take a third of the time with it.
_TEXT = rf"""
'<c t="inlineStr"><is><t xml:space="preserve">' || case
    when {{text}} ~ E'[&<>_\r\n{_CONTROLS}]'
        then regexp_replace(replace(replace(replace(replace(replace(
            translate({_FITTING}, E'{_CONTROLS}', repeat('{chr(0xFFFD)}', 30)), '&', '&amp;'),
            '<', '&lt;'), '>', '&gt;'), E'\r', '&#13;'), E'\n', '&#10;'),
            '_(?=x[0-9A-Fa-f]{{{{4}}}}_)', '_x005F_', 'g')
    else {_FITTING}
end || '</t></is></c>'
"""
_CELL = "coalesce(case when {condition} then {cell} else {text} end, '<c/>')"
_NUMBER = "'<c><v>' || {name} || '</v></c>'"
# By OID of pg_type: which values are more than a text, and what they are then.
_EXACT = (  # Excel keeps 15 digits.
    "{text} ~ '^[-0-9.]+$' and length(translate(ltrim({text}, '-0.'), '.', '')) <= 15",
    _NUMBER,
)
_INEXACT = ("{text} ~ '^[-+0-9.e]+$'", _NUMBER)
_KINDS = {
    16: ("true", "'<c t=\"b\"><v>' || {name}::int || '</v></c>'"),
    **dict.fromkeys((20, 21, 23, 1700), _EXACT),
    **dict.fromkeys((700, 701), _INEXACT),
    # Before that, Excel has a 29th of February 1900.
    1082: (
        "{name} between '1900-03-01' and '9999-12-31'",
        "'<c s=\"1\"><v>' || {name} - date '1899-12-30' || '</v></c>'",
    ),
}


def row_expression(names: Sequence[str], columns: Sequence[Column]) -> str:
    """A row as an element of the sheet, in SQL.

    Args:
        names: those of the columns, as SQL has them.
        columns: as the driver describes them.
    """
    types = (column.type_code for column in columns)
    return "'<row>' || " + " || ".join(map(_cell, names, types)) + " || '</row>'"


def _cell(name: str, type_: int) -> str:
    condition, cell = _KINDS.get(type_, ("false", "''"))
    names = {"name": name, "text": f"{name}::text"}
    return _CELL.format(
        condition=condition.format(**names), cell=cell.format(**names), text=_TEXT.format(**names)
    )


def file(names: Sequence[str], moment: datetime, rows: Iterator[bytes]) -> Iterator[bytes]:
    """The file, as it comes.

    Args:
        names: those of the columns.
        moment: the time that its parts have.
        rows: as `row_expression` writes them.
    """
    archive = Archive(moment, is_large=False)  # Excel reads no entries of 4 GiB.
    for path, text in _PARTS.items():
        yield from archive.add_text(path, _XML + text)
    yield from archive.add("xl/worksheets/sheet1.xml", _sheet(names, rows))
    yield archive.end()


def _sheet(names: Sequence[str], rows: Iterator[bytes]) -> Blocks:
    cells = "".join(f'<c t="inlineStr"><is><t>{escape(name)}</t></is></c>' for name in names)
    # Wide enough for a date, which is shown as ### otherwise.
    columns = f'<cols><col min="1" max="{len(names)}" width="14" customWidth="1"/></cols>'
    yield f'{_XML}<worksheet xmlns="{_MAIN}">{columns}<sheetData><row>{cells}</row>'.encode()
    yield from rows
    yield b"</sheetData></worksheet>"
