# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Install the package: with colcon, and with pip all the same."""

from glob import glob
import sys

from setuptools import find_packages, setup

package_name = 'tetra_vpr_ros'
share = f'share/{package_name}'
# 'ros2 run' looks in lib/<package>. There colcon puts the entry points (see
# setup.cfg); pip puts them in bin, so a wheel carries launchers for lib.
executables = ([(f'lib/{package_name}', glob('scripts/*'))]
               if 'bdist_wheel' in sys.argv else [])

setup(
    name=package_name,
    version='0.3.0',
    packages=find_packages(include=[package_name, f'{package_name}.*']),
    package_data={package_name: ['py.typed', 'viewing/*/*.css', 'viewing/*/*.html',
                                 'viewing/*/*.js']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (share, ['package.xml']),
        (f'{share}/launch', glob('launch/*.launch.py')),
        (f'{share}/config', glob('config/*.yaml') + glob('config/*.xml')
         + glob('config/*.rviz')),
        (f'{share}/config/training', glob('config/training/*.yaml')),
        (f'{share}/models', glob('models/*')),
        *executables,
    ],
    install_requires=[
        'setuptools',
        'numpy>=1.24',
        'onnxruntime>=1.16',
        'opencv-python-headless>=4.5',
        'faiss-cpu>=1.7.3',
        'rosbags>=0.10',
        'mcap>=1.1',
        'pillow>=9.3',
        'scipy>=1.8',
        'pyproj>=3.3',
        'tqdm>=4.57',
        'PyYAML>=5.4',
    ],
    extras_require={
        'training': ['torch>=2.3', 'safetensors>=0.4', 'onnx>=1.16', 'PyYAML>=6',
                     'pytorch-metric-learning>=2.5', 'tensorboard>=2.12'],
        'dinov2': ['transformers>=4.40'],
        'benchmark': ['onnx>=1.16', 'matplotlib>=3.5'],
        'evaluation': ['matplotlib>=3.5', 'plotly>=5.15', 'scikit-image>=0.20',
                       'scikit-learn>=1.2'],
        'viewing': ['plotly>=5.15', 'aiohttp>=3.8'],
        'ray': ['ray>=2.9'],
        'demo': ['vizdoom>=1.2.4', 'matplotlib>=3.5', 'plotly>=5.15'],
        'docs': ['sphinx>=7', 'myst-parser>=2', 'grimp>=3', 'matplotlib>=3.5'],
        'test': ['pytest<9', 'pytest-cov', 'pytest-timeout', 'pytest-xdist',
                 'hypothesis', 'mypy', 'ruff',
                 'import-linter>=2', 'onnx>=1.16', 'PyYAML>=6'],
    },
    zip_safe=True,
    maintainer='tetra_vpr_ros contributors',
    maintainer_email='maintainers@tetra-vpr-ros.invalid',
    description='Global visual localization on a CPU: a ternary Vision Transformer, '
                'a Hamming map, and a pose.',
    license='Apache-2.0',
    python_requires='>=3.10',
    entry_points={'console_scripts': [
        'build_map = tetra_vpr_ros.nodes.build_map:main',
        'localize = tetra_vpr_ros.nodes.localize:main',
        'calibrate_map = tetra_vpr_ros.nodes.calibrate_map:main',
        'benchmark = tetra_vpr_ros.evaluation.benchmark:main',
        'calibrate_model = tetra_vpr_ros.evaluation.calibrate_model:main',
        'evaluate = tetra_vpr_ros.evaluation.evaluate:main',
        'train = tetra_vpr_ros.training.train:main',
        'vpr_map = tetra_vpr_ros.nodes.vpr_map:main',
        'watch = tetra_vpr_ros.nodes.watch:main',
    ]},
)
