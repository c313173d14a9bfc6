"""Checkers for the exercises of the notebooks. Each prints one line: "passed", or the likely mistake.

``checks.check_move(move)`` calls the reader's function on small inputs. A checker never raises, whatever the function
does. It stops after ten seconds, and restores the global random state. There is one file for the exercises of each
notebook, and two for 02 and 04; ``harness`` calls the reader's function, and ``compare`` compares its results.
"""

from .attention import check_attention_masked, check_sharpened
from .context_layers import check_run_layers
from .finetuning import check_equal_epochs, check_freeze_below, check_nearest_mean
from .jigsaw import check_count_empty, check_greedy, check_neighbours_right
from .masked_position_prediction import check_paint, check_soft_labels
from .neighbours import check_neighbour_scores
from .position_embeddings import check_most_alike, check_move, check_random_codes
from .predicted_positions import check_effect_of_removal, check_mean_distance, check_positions_considered
from .pretraining import check_accuracy_after, check_growth, check_padded_crop
from .scale_up import check_epochs_that_fit, check_largest_batch, check_mean_over_images
from .shortcuts import check_one_channel, check_ramp, check_scramble
from .vision_transformer import check_keep_brightness, check_paired_gap, check_parameters_saved

__all__ = [
    "check_accuracy_after",
    "check_attention_masked",
    "check_count_empty",
    "check_effect_of_removal",
    "check_epochs_that_fit",
    "check_equal_epochs",
    "check_freeze_below",
    "check_greedy",
    "check_growth",
    "check_keep_brightness",
    "check_largest_batch",
    "check_mean_distance",
    "check_mean_over_images",
    "check_most_alike",
    "check_move",
    "check_nearest_mean",
    "check_neighbour_scores",
    "check_neighbours_right",
    "check_one_channel",
    "check_padded_crop",
    "check_paint",
    "check_paired_gap",
    "check_parameters_saved",
    "check_positions_considered",
    "check_ramp",
    "check_random_codes",
    "check_run_layers",
    "check_scramble",
    "check_sharpened",
    "check_soft_labels",
]
