// SPDX-License-Identifier: GPL-2.0

//! The picture: cost per frame over the payload, for selected rows.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::rows::{Key, Measured, Rows};

/// The selected rows, with their titles.
const SHOWN: [(&str, u32, u32, &str); 4] = [
    ("rx", 1, 1, "RX, 1 frame per interrupt"),
    ("rx", 32, 1, "RX, 32 frames per interrupt"),
    ("tx_ndo", 1, 1, "TX, single frames"),
    ("tx_ndo", 32, 1, "TX, bursts of 32"),
];

pub fn draw(measured: &Measured, path: &Path) -> Result<()> {
    render(measured, path).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn render(measured: &Measured, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(path, (960, 720)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, (row, burst, chain, title)) in root.split_evenly((2, 2)).iter().zip(SHOWN) {
        let line = |rows: &Rows| -> Vec<(f64, f64)> {
            let shown = |key: &&Key| {
                key.event_idx == 0 && key.row == row && key.burst == burst && key.chain == chain
            };
            rows.keys()
                .filter(shown)
                .map(|key| (f64::from(key.payload), rows[key].median))
                .collect()
        };
        let floor: Vec<_> = line(&measured.rust)
            .into_iter()
            .filter_map(|(payload, _)| {
                let key = Key {
                    event_idx: 0,
                    row: row.to_owned(),
                    burst,
                    chain,
                    payload: payload as u32,
                };
                Some((payload, measured.floor(&key)?))
            })
            .collect();
        let lines = [
            ("C driver", line(&measured.c), RED),
            ("Rust driver", line(&measured.rust), BLUE),
            ("floor", floor, BLACK),
        ];
        let top = lines
            .iter()
            .flat_map(|(_, points, _)| points)
            .fold(0.0, |top: f64, point| top.max(point.1));
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..4096.0, 0.0..top * 1.1)?;
        chart
            .configure_mesh()
            .x_desc("bytes of payload")
            .y_desc("instructions per frame")
            .draw()?;
        for (name, points, color) in lines {
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .draw()?;
    }
    root.present()?;
    Ok(())
}
