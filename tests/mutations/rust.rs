//! Parses as much Rust syntax as is needed to mutate code and to determine what a finding flags.
//!
//! Written independently of `src/compare`, from its documentation and not from its code.

use std::ops::Range;

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, strip_shebang, tokenize};

/// File as tokens.
pub(crate) struct Code<'a> {
    pub(crate) text: &'a str,
    /// All tokens except for whitespace and comments.
    pub(crate) tokens: Vec<Token>,
    pub(crate) comments: Vec<Range<usize>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Token {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: TokenKind,
    /// Index of the matching delimiter, for a delimiter.
    pub(crate) partner: Option<usize>,
    /// Innermost open delimiter before it.
    pub(crate) within: Option<usize>,
}

/// Item with its preceding comments and attributes, up to the end of its last line.
pub(crate) struct Item {
    pub(crate) range: Range<usize>,
    /// First token, including attributes.
    pub(crate) first: usize,
    /// First token after attributes, visibility and other modifiers.
    pub(crate) keyword: usize,
    /// Braces of the item.
    pub(crate) body: Option<(usize, usize)>,
    /// Enclosing item.
    pub(crate) parent: Option<usize>,
}

/// From findings.md: "under 4 tokens, the whole line". A statement stands for the line.
const FEW: usize = 4;
/// From findings.md: "At most 64 tokens plus the length."
const MOST: usize = 64;
/// Maximum extent of a statement to either side.
const AROUND: usize = 30;

impl<'a> Code<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut code = Self { text, tokens: Vec::new(), comments: Vec::new() };
        let mut end = strip_shebang(text).unwrap_or(0);
        let mut open: Vec<usize> = Vec::new();
        for token in tokenize(&text[end..], FrontmatterAllowed::Yes) {
            let start = end;
            end += token.len as usize;
            let at = code.tokens.len();
            match token.kind {
                TokenKind::Whitespace | TokenKind::Frontmatter { .. } => continue,
                TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => {
                    code.comments.push(start..end);
                    continue;
                }
                _ => {}
            }
            let mut token =
                Token { start, end, kind: token.kind, partner: None, within: open.last().copied() };
            match token.kind {
                TokenKind::OpenBrace | TokenKind::OpenParen | TokenKind::OpenBracket => open.push(at),
                TokenKind::CloseBrace | TokenKind::CloseParen | TokenKind::CloseBracket => {
                    token.partner = open.pop();
                    token.within = open.last().copied();
                    if let Some(partner) = token.partner {
                        code.tokens[partner].partner = Some(at);
                    }
                }
                _ => {}
            }
            code.tokens.push(token);
        }
        code
    }

    /// Returns the text of a token, or an empty string after the last one.
    pub(crate) fn word(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| &self.text[token.start..token.end])
    }

    pub(crate) fn is_name(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == TokenKind::Ident)
            && !KEYWORDS.contains(&self.word(at))
    }

    /// Returns the position after a group or token.
    pub(crate) fn skip(&self, at: usize) -> usize {
        self.tokens[at].partner.filter(|partner| *partner > at).unwrap_or(at) + 1
    }

    /// Returns the tokens that begin in `range`.
    pub(crate) fn tokens_in(&self, range: &Range<usize>) -> Range<usize> {
        let first = self.tokens.partition_point(|token| token.start < range.start);
        first..self.tokens.partition_point(|token| token.start < range.end)
    }

    /// Returns the lines that `range` touches.
    pub(crate) fn lines(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        start..self.text[range.end..].find('\n').map_or(self.text.len(), |at| range.end + at + 1)
    }

    /// Returns the code that a finding at `range` flags, as pieces of the text: its first tokens; for less than four
    /// tokens, the statement around them; in a comment, its lines. Omits commas, semicolons and braces, because rustfmt
    /// adds and removes them.
    pub(crate) fn flagged(&self, range: &Range<usize>) -> Vec<Range<usize>> {
        let mut tokens = self.tokens_in(range);
        if tokens.is_empty() {
            let lines = self.lines(range);
            let end = lines.start + self.text[lines.clone()].trim_end().len();
            return std::iter::once(lines.start..end).collect();
        }
        if tokens.len() < FEW {
            tokens = self.statement(tokens);
        }
        let pieces = self.tokens[tokens].iter().take(MOST).filter(|token| !token.is_layout());
        pieces.map(|token| token.start..token.end).collect()
    }

    /// Returns the length of the code in `range`.
    pub(crate) fn length(&self, range: &Range<usize>) -> usize {
        self.tokens[self.tokens_in(range)].iter().filter(|token| !token.is_layout()).count()
    }

    /// Returns `tokens` with the rest of their statement, list element, match arm or closure.
    fn statement(&self, tokens: Range<usize>) -> Range<usize> {
        let mut start = tokens.start;
        while start > tokens.start.saturating_sub(AROUND) && !self.ends_statement(start - 1) {
            start -= 1;
        }
        let closure = start.checked_sub(1).filter(|&before| self.word(before) == "|");
        let is_behind = |at: usize, closure: usize| {
            let is_same = |at: usize| self.tokens[at].within == self.tokens[closure].within;
            match self.word(at) {
                "," => is_same(at),
                ")" | "]" => self.tokens[at].partner.is_none_or(|open| open < closure),
                _ => false,
            }
        };
        let mut end = tokens.end;
        while end < self.tokens.len().min(tokens.end + AROUND)
            && !self.ends_statement(end)
            && !closure.is_some_and(|closure| is_behind(end, closure))
        {
            end += 1;
        }
        start..end
    }

    /// Returns whether a statement, or something written like one, ends here.
    fn ends_statement(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        let around = token.within.map_or("{", |around| self.word(around));
        match self.word(at) {
            "{" | "}" | "|" => true,
            ";" => around == "{",
            "," => around != "(",
            "=" => self.word(at + 1) == ">",
            ">" => at > 0 && self.word(at - 1) == "=",
            "]" => self.is_attribute(token.partner),
            _ => false,
        }
    }

    /// Returns the name of an item. For an `impl`, this is its whole head.
    pub(crate) fn name(&self, item: &Item) -> &'a str {
        let start = self.tokens[item.keyword].start;
        let end = match item.body {
            Some((open, _)) if self.word(item.keyword) == "impl" => self.tokens[open].start,
            _ => self.tokens.get(item.keyword + 1).map_or(start, |name| name.end),
        };
        &self.text[start..end]
    }

    /// Returns whether the bracket at `open` belongs to an attribute.
    fn is_attribute(&self, open: Option<usize>) -> bool {
        open.and_then(|open| open.checked_sub(1)).is_some_and(|before| match self.word(before) {
            "#" => true,
            "!" => before > 0 && self.word(before - 1) == "#",
            _ => false,
        })
    }

    /// Returns all items outside functions. Each one follows the item that contains it.
    pub(crate) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        self.items_in(0..self.tokens.len(), 0, None, &mut items);
        items
    }

    fn items_in(&self, tokens: Range<usize>, from: usize, parent: Option<usize>, items: &mut Vec<Item>) {
        let mut at = tokens.start;
        let mut start = self.behind_inner_docs(self.line_end(from));
        while at < tokens.end {
            if self.word(at) == "#" && self.word(at + 1) == "!" {
                at = self.skip(at + 2);
                start = self.behind_inner_docs(self.line_end(self.tokens[at - 1].end));
                continue;
            }
            let (keyword, body, behind) = self.item_at(at, tokens.end);
            let end = self.line_end(self.tokens[behind - 1].end);
            let id = items.len();
            items.push(Item { range: start..end, first: at, keyword, body, parent });
            if let Some((open, close)) = body
                && ["mod", "impl", "trait"].contains(&self.word(keyword))
            {
                self.items_in(open + 1..close, self.tokens[open].end, Some(id), items);
            }
            (at, start) = (behind, end);
        }
    }

    /// Returns the keyword, the braces and the end of the item whose first token is at `first`.
    fn item_at(&self, first: usize, end: usize) -> (usize, Option<(usize, usize)>, usize) {
        let mut keyword = first;
        while keyword < end {
            keyword = match self.word(keyword) {
                "#" if keyword + 1 < end => self.skip(keyword + 1),
                "pub" if self.word(keyword + 1) == "(" => self.skip(keyword + 1),
                "pub" | "unsafe" | "async" | "extern" => keyword + 1,
                "const" if ["fn", "unsafe", "async", "extern"].contains(&self.word(keyword + 1)) => {
                    keyword + 1
                }
                word if word.starts_with('"') => keyword + 1,
                _ => break,
            };
        }
        let braces_end = !["const", "static", "type", "use"].contains(&self.word(keyword));
        let mut at = keyword;
        while at < end {
            match (self.word(at), self.tokens[at].partner) {
                (";", _) => return (keyword, None, at + 1),
                ("{", Some(close)) if braces_end => return (keyword, Some((at, close)), close + 1),
                _ => at = self.skip(at),
            }
        }
        (keyword, None, end)
    }

    /// Returns the start of the next line if only a comment follows on this one.
    pub(crate) fn line_end(&self, at: usize) -> usize {
        let rest = &self.text[at..];
        let line = rest.split_inclusive('\n').next().unwrap_or("");
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with("//") { at + line.len() } else { at }
    }

    /// Skips `//!` comments, which belong to the enclosing item and not to the next one.
    fn behind_inner_docs(&self, mut at: usize) -> usize {
        let mut end = at;
        for line in self.text[at..].split_inclusive('\n') {
            at += line.len();
            match line.trim() {
                line if line.starts_with("//!") => end = at,
                "" => {}
                _ => break,
            }
        }
        end
    }

    /// Returns the lines of brace-free statements in functions that begin and end a line.
    pub(crate) fn statements(&self) -> Vec<Range<usize>> {
        let ends = (0..self.tokens.len()).filter(|&at| self.word(at) == ";");
        ends.filter_map(|end| {
            let within = self.tokens[end].within.filter(|&open| self.word(open) == "{")?;
            let mut first = end;
            while first > within + 1 {
                let before = first - 1;
                match self.tokens[before].kind {
                    TokenKind::Semi | TokenKind::CloseBrace => break,
                    _ => first = self.tokens[before].partner.unwrap_or(before),
                }
            }
            let no_statement =
                ["use", "mod", "const", "static", "type", "pub", "fn", "else", "impl", "struct", "extern"];
            let lines = self.lines(&(self.tokens[first].start..self.tokens[end].end));
            let is_alone = self.text[lines.start..self.tokens[first].start].trim().is_empty()
                && self.line_end(self.tokens[end].end) == lines.end;
            let begins = first < end
                && self.tokens[first].kind == TokenKind::Ident
                && !no_statement.contains(&self.word(first));
            (is_alone && begins).then_some(lines)
        })
        .collect()
    }
}

impl Token {
    /// Returns whether rustfmt adds and removes such tokens.
    pub(crate) fn is_layout(&self) -> bool {
        use TokenKind::{CloseBrace, Comma, OpenBrace, Semi};
        matches!(self.kind, Comma | Semi | OpenBrace | CloseBrace)
    }
}

const KEYWORDS: [&str; 38] = [
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
    "Self", "self", "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while",
];
