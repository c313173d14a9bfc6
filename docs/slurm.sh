#!/bin/bash
# MP3 on several machines of a SLURM cluster: sbatch docs/slurm.sh PATH_OF_THE_IMAGES RUN_FOLDER
# One task a machine starts torchrun, which starts a process for each GPU. A job that is sent again goes on (--resume).
#SBATCH --job-name=mp3
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
set -euo pipefail

images=${1:?give the images: sbatch docs/slurm.sh PATH_OF_THE_IMAGES RUN_FOLDER}
run=${2:?give the run folder: sbatch docs/slurm.sh PATH_OF_THE_IMAGES RUN_FOLDER}
mapfile -t machines < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
export OMP_NUM_THREADS=$((SLURM_CPUS_PER_TASK / SLURM_GPUS_ON_NODE))

srun torchrun \
    --nnodes "$SLURM_NNODES" --nproc-per-node "$SLURM_GPUS_ON_NODE" \
    --rdzv-id "$SLURM_JOB_ID" --rdzv-backend c10d --rdzv-endpoint "${machines[0]}:29500" \
    -m mp3lib pretrain --data "$images" --model vit-s16 --precision bf16 \
    --batch-size 2048 --epochs 100 --out "$run" --resume
