"""Networks and their training in NumPy."""

from anmf.deep.deep_clustering import DeepClustering
from anmf.deep.kinds import LAYERS, STARTS, Kind
from anmf.deep.network import Network, layer
from anmf.deep.optimise import SCHEDULES, plateau, warm_up_cosine
from anmf.deep.pit import PITSeparator
from anmf.deep.pretrained import load_deep_clustering
from anmf.deep.recipe import Recipe
from anmf.deep.state import TrainingState, load_checkpoint, save_checkpoint, start_of_training
from anmf.deep.training import Trained, keep_memory, train
from anmf.deep.weights import load_about, load_weights, save_weights

__all__ = [
    "LAYERS",
    "SCHEDULES",
    "STARTS",
    "DeepClustering",
    "Kind",
    "Network",
    "PITSeparator",
    "Recipe",
    "Trained",
    "TrainingState",
    "keep_memory",
    "layer",
    "load_about",
    "load_checkpoint",
    "load_deep_clustering",
    "load_weights",
    "plateau",
    "save_checkpoint",
    "save_weights",
    "start_of_training",
    "train",
    "warm_up_cosine",
]
