"""Right and wrong answers to the exercises of notebook 10."""

import math

import torch


class epochs_that_fit:
    def loop(hours, num_images, flops, speed):
        """passed"""
        whole = 0
        while (whole + 1) * num_images * flops <= hours * 3600 * speed:
            whole += 1
        return whole

    def floor(hours, num_images, flops, speed):
        """passed"""
        return math.floor(hours * 3600 / (num_images * flops / speed))

    def rounded_up(hours, num_images, flops, speed):
        """round down"""
        return math.ceil(hours * 3600 * speed / (num_images * flops))

    def minutes(hours, num_images, flops, speed):
        """3600 seconds, not 60"""
        return int(hours * 60 * speed / (num_images * flops))

    def hours_as_seconds(hours, num_images, flops, speed):
        """taken for seconds"""
        return int(hours * speed / (num_images * flops))

    def one_image(hours, num_images, flops, speed):
        """the number of images is not counted"""
        return int(hours * 3600 * speed / flops)

    def without_flops(hours, num_images, flops, speed):
        """the operations of an image are not counted"""
        return int(hours * 3600 * speed / num_images)

    def without_speed(hours, num_images, flops, speed):
        """the speed is not counted"""
        return int(hours * 3600 / (num_images * flops))

    def upside_down(hours, num_images, flops, speed):
        """this is the inverse"""
        return int(num_images * flops / (hours * 3600 * speed))

    def backward_again(hours, num_images, flops, speed):
        """do not count it again"""
        return int(hours * 3600 * speed / (3 * num_images * flops))

    def at_least_one(hours, num_images, flops, speed):
        """the result is 0, not 1"""
        return max(1, int(hours * 3600 * speed / (num_images * flops)))

    def not_whole(hours, num_images, flops, speed):
        """not a whole number of epochs"""
        return hours * 3600 * speed / (num_images * flops)

    def one_too_few(hours, num_images, flops, speed):
        """one epoch too few"""
        return int(hours * 3600 * speed / (num_images * flops)) - 1

    def seconds_of_an_epoch(hours, num_images, flops, speed):
        """the number of seconds of an epoch"""
        return num_images * flops / speed

    def rounded_early(hours, num_images, flops, speed):
        """round once, at the end"""
        return int(hours * 3600 // math.ceil(num_images * flops / speed))

    def not_a_number(hours, num_images, flops, speed):
        """it returns the float nan"""
        return math.nan


class mean_over_images:
    def loop(losses, counts):
        """passed"""
        total = 0.0
        for loss, count in zip(losses.tolist(), counts.tolist(), strict=True):
            total += loss * count if count else 0.0
        return torch.tensor(total / counts.sum().item())

    def chosen(losses, counts):
        """passed"""
        some = counts > 0
        return (losses[some] * counts[some]).sum() / counts.sum()

    def plain(losses, counts):
        """the plain mean of the losses"""
        return losses.mean()

    def total(losses, counts):
        """divide by the number of images"""
        return (losses * counts).nansum()

    def by_processes(losses, counts):
        """not by the number of processes"""
        return (losses * counts).mean()

    def each(losses, counts):
        """add them, and divide"""
        return losses * counts / counts.sum()

    def sums_of_each(losses, counts):
        """these are the sums of each process"""
        return losses * counts

    def turned_round(losses, counts):
        """the weights are 1 / counts here"""
        return (losses / counts).sum() / (1 / counts).sum()

    def divided(losses, counts):
        """multiply the losses by the counts"""
        return (losses / counts).sum()

    def padded(losses, counts):
        """as if each process had the largest count"""
        return (losses * counts).sum() / (counts.max() * len(counts))

    def main_alone(losses, counts):
        """of the main process alone"""
        return losses[0]

    def median(losses, counts):
        """median"""
        return losses.median()

    def squared(losses, counts):
        """weigh by the count once"""
        return (losses * counts**2).sum() / (counts**2).sum()

    def softmax(losses, counts):
        """softmax of the counts"""
        return (losses * counts.float().softmax(dim=0)).sum()

    def empty_as_one(losses, counts):
        """must not count in the mean"""
        return (losses * counts).sum() / counts.clamp(min=1).sum()

    def sum_of_losses(losses, counts):
        """the sum of the losses"""
        return losses.sum()


class largest_batch:
    def loop(memory, state, per_image, processes):
        """passed"""
        images = 0
        while state + (images + 1) * per_image <= memory:
            images += 1
        return images * processes

    def negative(memory, state, per_image, processes):
        """not a negative number"""
        return processes * ((memory - state) // per_image)

    def of_one(memory, state, per_image, processes):
        """of all GPUs, not of one"""
        return max(0, (memory - state) // per_image)

    def without_network(memory, state, per_image, processes):
        """the network is not counted"""
        return processes * (memory // per_image)

    def one_copy(memory, state, per_image, processes):
        """each GPU has a copy"""
        return max(0, (processes * memory - state) // per_image)

    def rounded_at_the_end(memory, state, per_image, processes):
        """each has a whole number of images"""
        return max(0, processes * (memory - state) // per_image)

    def rounded_up(memory, state, per_image, processes):
        """one image more does not fit"""
        return processes * max(0, -(-(memory - state) // per_image))

    def shared_memory(memory, state, per_image, processes):
        """it is not shared by all"""
        return processes * max(0, (memory // processes - state) // per_image)

    def divided(memory, state, per_image, processes):
        """divided by the processes"""
        return max(0, (memory - state) // per_image) // processes

    def added(memory, state, per_image, processes):
        """subtract it"""
        return processes * ((memory + state) // per_image)

    def network_as_image(memory, state, per_image, processes):
        """one more image"""
        return processes * max(0, memory // per_image - 1)

    def network_each(memory, state, per_image, processes):
        """counted with every image"""
        return processes * (memory // (state + per_image))

    def memory_left(memory, state, per_image, processes):
        """the memory that is left"""
        return processes * max(0, memory - state)

    def at_least_one(memory, state, per_image, processes):
        """this is at least 1"""
        return processes * max(1, (memory - state) // per_image)

    def not_whole(memory, state, per_image, processes):
        """not a whole number of images"""
        return processes * max(0, (memory - state) / per_image)

    def not_a_number(memory, state, per_image, processes):
        """it returns the float nan"""
        return math.nan
