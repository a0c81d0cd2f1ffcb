"""The tokens of a plain text, by one regular expression: those of the parser's tokenizer at a third of the cost.

A text is plain without block comments, backslashes, texts over several lines, and what else is rare. Of any other there
are no tokens here; the parser's own tokenizer makes them.
"""

import re

from sqlglot.tokenizer_core import Token, TokenType

from mcp_server.sql.dialect import Dialect

_TOKENIZER = Dialect.Tokenizer
_OPERATOR = r"+*/%=<>!|&^:~?@#{}\-"
_END = rf"(?=[ \n\t()\[\],.;{_OPERATOR}]|\Z)"
"""What a word and a number must have behind them. Where it is something else, they may be part of it."""

_TOKEN = re.compile(
    r"[ \n\t]*+(?:"
    rf"((?ai:group|order|partition)[ ]+(?ai:by){_END})"
    rf"|([A-Za-z_][A-Za-z0-9_]*+){_END}"
    rf"|([0-9]++(?:\.[0-9]*+)?){_END}(?!\.)"
    r"|'((?:[^'\\\r\n]|'')*+)'"
    r'|"((?:[^"\\\r\n]|"")*+)"'
    r"|--([^\r\n]*+)"
    rf"|([(),.;\[\]$]|[{_OPERATOR}]++)"
    r")"
)
_KEYWORD, _WORD, _NUMBER, _STRING, _NAME, _COMMENT, _SYMBOL = range(1, 8)
_MARKS = [0, 0, 0, 0, 2, 2, 2, 0]
"""Characters of each kind of token that its group leaves out."""

_TYPES = {word: type_ for word, type_ in _TOKENIZER.KEYWORDS.items() if type_ not in _TOKENIZER.COMMANDS}
"""Behind any other keyword, the tokenizer may take the rest of the text for one token."""
_COMMANDS = _TOKENIZER.KEYWORDS.keys() - _TYPES.keys()
_BEGINNINGS = {re.split(r"[ -]", word)[0] for word in _TYPES if re.match(r"\w+[ -]", word)}
"""First words of keywords that consist of two, such as DOUBLE PRECISION."""
_DOUBTFUL = frozenset(_COMMANDS | _BEGINNINGS)
_BEHIND_BEGINNINGS = frozenset(" \n\t-")
_SYMBOLS = {
    symbol: type_
    for symbol, type_ in (_TOKENIZER.SINGLE_TOKENS | _TYPES).items()
    if re.fullmatch(rf"[{_OPERATOR}(),.;\[\]$]+", symbol) and symbol not in _TOKENIZER._COMMENTS  # noqa: SLF001
}


def plain_tokens(text: str) -> list[Token] | None:
    """The tokens of a plain text, None of any other."""
    tokens: list[Token] = []
    position, line, line_start = 0, 1, 0
    line_end = text.find("\n")
    previous, previous_line = None, -1
    comments: list[str] = []
    while (match := _TOKEN.match(text, position)) is not None:
        kind = match.lastindex
        assert kind is not None  # every alternative is a group
        word = match[kind]
        position = match.end()
        start = position - len(word) - _MARKS[kind]
        while 0 <= line_end < start:
            line, line_start = line + 1, line_end + 1
            line_end = text.find("\n", line_start)
        if kind == _COMMENT:
            # It belongs to the token before it in its line, else to the one that follows.
            (tokens[-1].comments if line == previous_line else comments).append(word)
            continue
        if kind == _WORD:
            upper = word.upper()
            type_: TokenType | None = (
                TokenType.VAR if previous is TokenType.PARAMETER else _TYPES.get(upper, TokenType.VAR)
            )
            if upper in _DOUBTFUL and (upper in _COMMANDS or text[position : position + 1] in _BEHIND_BEGINNINGS):
                return None
        elif kind == _SYMBOL:
            type_ = _SYMBOLS.get(word)
        else:
            type_, word = _read(kind, word, previous)
        if type_ is None or (type_ is TokenType.SEMICOLON and comments):
            return None
        tokens.append(Token(type_, word, line, position - line_start, start, position - 1, comments))
        previous, previous_line, comments = type_, line, []
    if tokens:
        tokens[-1].comments.extend(comments)
    return tokens if not text[position:].strip(" \n\t") else None


def _read(kind: int, word: str, previous: TokenType | None) -> tuple[TokenType | None, str]:
    """The type and the text of a token that is no word and no symbol."""
    if kind == _STRING:
        return TokenType.STRING, word.replace("''", "'")
    if kind == _NAME:
        return TokenType.IDENTIFIER, word.replace('""', '"')
    if kind == _NUMBER:
        return (TokenType.NUMBER if previous is not TokenType.PARAMETER or "." not in word else None), word
    word = " ".join(word.upper().split())
    return _TYPES[word], word
