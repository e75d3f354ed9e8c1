// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Text in columns.

/// How a column is aligned.
#[derive(Clone, Copy)]
pub enum Align {
    Left,
    Right,
}

/// Rows of as many cells as there are columns.
pub struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub fn new(columns: [(&'static str, Align); N]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    pub fn push(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Prints the titles and all rows, two blanks between columns, none at the end of a line.
    pub fn render(&self) -> String {
        let titles = self.columns.map(|(title, _)| title.to_owned());
        let lines = || std::iter::once(&titles).chain(&self.rows);
        let mut widths = [0; N];
        for line in lines() {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for line in lines() {
            let mut row = String::new();
            for ((cell, width), (_, align)) in line.iter().zip(widths).zip(self.columns) {
                match align {
                    Align::Left => row += &format!("{cell:<width$}  "),
                    Align::Right => row += &format!("{cell:>width$}  "),
                }
            }
            text += row.trim_end();
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new([
            ("NAME", Align::Left),
            ("MTU", Align::Right),
            ("ABOUT", Align::Left),
        ]);
        assert_eq!(table.render(), "NAME  MTU  ABOUT\n");
        table.push(["cfvrt0".into(), "4032".into(), String::new()]);
        table.push(["é".into(), "8".into(), "x".into()]);
        assert_eq!(
            table.render(),
            "NAME     MTU  ABOUT\n\
             cfvrt0  4032\n\
             é          8  x\n"
        );
    }
}
